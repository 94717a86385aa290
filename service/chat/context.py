"""What the answer to one inbox item depends on, read when the work on it begins."""

from __future__ import annotations

from dataclasses import dataclass

from service.chat import versions
from service.chat.providers import Turn
from service.database import connection
from service.models import ChatbotVersion, Conversation, InboxItem, Message, Persona, User

HISTORY = 40
# How the roles that we keep appear to a provider; what is not named here is not part of the talk.
_SPEAKERS = {"user": "user", "assistant": "assistant", "twin": "assistant"}


@dataclass(frozen=True)
class Context:
    """`question` is there already when the item was answered before, with an apology, and is tried again.
    `persona` is whom the chatbot speaks as."""

    item: InboxItem
    version: ChatbotVersion
    conversation: Conversation | None
    question: Message | None
    user: User | None
    persona: Persona | None

    @property
    def asked(self) -> Turn:
        return Turn("user", self.item.content)


def of(item: InboxItem) -> Context:
    with connection():
        question = item.reply.reply_to if item.reply else None
        conversation = question.conversation if question else _conversation_of(item)
        version = conversation.chatbot_version if conversation else None
        user = User.get_or_none(User.id == item.metadata["user_id"]) if "user_id" in item.metadata else None
        return Context(
            item=item,
            version=version or versions.current(item.chatbot),
            conversation=conversation,
            question=question,
            user=user,
            persona=_asked_for(item, user) or _chosen(conversation),
        )


def history(context: Context) -> tuple[Turn, ...]:
    """What was said before the question, oldest first; without commands, and without our apologies."""
    if context.conversation is None:
        return ()
    with connection():
        spoken = (Message.conversation == context.conversation) & Message.role.in_(list(_SPEAKERS))
        spoken &= Message.metadata["aside"].is_null() & Message.error.is_null()
        query = Message.select(Message.role, Message.content).where(spoken)
        if context.question:
            query = query.where(Message.id < context.question.id)
        newest = list(query.order_by(Message.id.desc()).limit(HISTORY))
        return tuple(Turn(_SPEAKERS[message.role], message.content) for message in reversed(newest))


def _conversation_of(item: InboxItem) -> Conversation | None:
    """The one that the item's chatbot, channel and thread name, if it has begun."""
    found: Conversation | None = Conversation.get_or_none(
        (Conversation.chatbot == item.chatbot_id)
        & (Conversation.channel == item.channel)
        & (Conversation.thread == item.thread)
    )
    return found


def _asked_for(item: InboxItem, user: User | None) -> Persona | None:
    """The persona that the message asks for, if it is active and the person's own."""
    if "persona_id" not in item.metadata:
        return None
    found: Persona | None = Persona.get_or_none(
        (Persona.id == item.metadata.get("persona_id")) & (Persona.user == user) & Persona.is_active
    )
    return found


def _chosen(conversation: Conversation | None) -> Persona | None:
    """The persona that was chosen for the whole conversation, while it is active."""
    persona = conversation.persona if conversation else None
    return persona if persona and persona.is_active else None
