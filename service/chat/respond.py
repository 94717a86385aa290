"""A message is answered: read what the provider needs, ask it, and write everything in one transaction."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from service.chat import search, versions
from service.chat.providers import ProviderError, Providers, Request, Turn, named
from service.chat.text import shortened, storable
from service.chat.wake import OUTBOX, wake
from service.database import connection, writing
from service.models import ChatbotVersion, Conversation, InboxItem, Message, OutboxItem, Persona, User
from service.models.base import shared_now, utc_now

# Who asks here comes for the answer; elsewhere it is delivered.
COLLECTED = ("panel", "api")
HISTORY = 40
UNTITLED = "Untitled"
APOLOGY = "I am sorry, I can't answer this right now. Your message is kept, and whoever looks after me can see why."
# How the roles that we keep appear to a provider; what is not named here is not part of the talk.
_SPEAKERS = {"user": "user", "assistant": "assistant", "twin": "assistant"}

Settle = Callable[[], None]


@dataclass(frozen=True)
class Context:
    """What the answer to one inbox item depends on, as it was when the work began."""

    item: InboxItem
    version: ChatbotVersion
    conversation: Conversation | None
    user: User | None
    persona: Persona | None


def respond(item: InboxItem, providers: Providers, settle: Settle) -> Message:
    """Answer the item and return the reply as it was written. Raises ProviderError, and then nothing is written.

    No transaction is open while the provider works. `settle` is called first in the transaction that writes, and
    marks the item as answered; when it raises, because the item is somebody else's by now, nothing is written."""
    context = _context(item)
    text = _ask(context, providers)
    return _write(context, text, {}, settle)


def apologise(item: InboxItem, error: str, settle: Settle) -> Message:
    """Tell the person that no answer will come; the error stays in the reply's metadata for the operator."""
    return _write(_context(item), APOLOGY, {"error": storable(error)}, settle)


def remark(item: InboxItem, text: str, settle: Settle, change: Callable[[Conversation], object]) -> Message:
    """Answer the item with this text, without a provider. `change` is done to its conversation in the same
    transaction."""
    with connection() as database, writing(database):
        reply = _write(_context(item), text, {}, settle)
        change(Conversation.get_by_id(reply.conversation_id))
        return reply


def _context(item: InboxItem) -> Context:
    with connection():
        conversation = _conversation_of(item)
        version = conversation.chatbot_version if conversation else None
        user = User.get_or_none(User.id == item.metadata.get("user_id"))
        return Context(
            item=item,
            version=version or versions.current(item.chatbot),
            conversation=conversation,
            user=user,
            persona=_persona(item, user),
        )


def _conversation_of(item: InboxItem) -> Conversation | None:
    """The one that the item's chatbot, channel and thread name, if it has begun."""
    found: Conversation | None = Conversation.get_or_none(
        (Conversation.chatbot == item.chatbot_id)
        & (Conversation.channel == item.channel)
        & (Conversation.thread == item.thread)
    )
    return found


def _persona(item: InboxItem, user: User | None) -> Persona | None:
    """The persona that the message asks for, if it is active and the person's own."""
    found: Persona | None = Persona.get_or_none(
        (Persona.id == item.metadata.get("persona_id")) & (Persona.user == user) & Persona.is_active
    )
    return found


def _ask(context: Context, providers: Providers) -> str:
    provider = named(providers, context.version.model_provider)
    text = storable("".join(provider.stream(_request(context)))).strip()
    if not text:
        raise ProviderError("The provider gave an empty answer.", is_temporary=True)
    return text


def _request(context: Context) -> Request:
    instructions = context.persona.instructions if context.persona else ""
    parts = (context.version.system_prompt.strip(), instructions.strip())
    return Request(
        model=context.version.model_name,
        system_prompt="\n\n".join(part for part in parts if part),
        history=(*_history(context.conversation), Turn("user", context.item.content)),
        config=context.version.config,
    )


def _history(conversation: Conversation | None) -> tuple[Turn, ...]:
    if conversation is None:
        return ()
    with connection():
        spoken = (Message.conversation == conversation) & Message.role.in_(list(_SPEAKERS))
        spoken &= Message.metadata["aside"].is_null()
        newest = Message.select(Message.role, Message.content).where(spoken).order_by(Message.id.desc()).limit(HISTORY)
        return tuple(Turn(_SPEAKERS[message.role], message.content) for message in reversed(list(newest)))


def _write(context: Context, text: str, metadata: dict[str, Any], settle: Settle) -> Message:
    with connection() as database, writing(database):
        settle()
        conversation = _begun(context)
        question = _say(context, conversation, "user", context.item.content, metadata=_origin(context.item))
        metadata = _mark(context.item) | metadata
        reply = _say(context, conversation, "assistant", text, reply_to=question, metadata=metadata)
        if context.item.channel not in COLLECTED:
            OutboxItem.create(
                conversation=conversation,
                message=reply,
                channel=context.item.channel,
                address=context.item.metadata,
                available_at=shared_now(),
            )
            wake(database, OUTBOX)
        return reply


def _begun(context: Context) -> Conversation:
    """The conversation, touched; made, with the version that answers, if this is its first message."""
    conversation, item = context.conversation, context.item
    if conversation is None:
        created: Conversation = Conversation.create(
            chatbot=item.chatbot_id,
            chatbot_version=context.version,
            user=context.user,
            title=_title(item),
            channel=item.channel,
            thread=item.thread,
            metadata=item.metadata,
        )
        return created
    now = {"updated_at": utc_now(), "chatbot_version": context.version}
    if conversation.title == UNTITLED:
        now["title"] = _title(item)
    Conversation.update(now).where(Conversation.id == conversation.id).execute()
    return conversation


def _title(item: InboxItem) -> str:
    """The first words of the talk, of which a command is no part."""
    return UNTITLED if _mark(item) else shortened(item.content, 80) or UNTITLED


def _mark(item: InboxItem) -> dict[str, Any]:
    """A reply to an aside is an aside: both stay out of the history."""
    return {"aside": item.metadata["aside"]} if "aside" in item.metadata else {}


def _say(context: Context, conversation: Conversation, role: str, content: str, **more: Any) -> Message:
    said: Message = Message.create(
        chatbot=context.item.chatbot_id,
        conversation=conversation,
        user=context.user,
        persona=context.persona,
        role=role,
        content=content,
        **more,
    )
    search.index(said)
    return said


def _origin(item: InboxItem) -> dict[str, Any]:
    return {**item.metadata, "inbox": item.id}
