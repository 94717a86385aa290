"""What the answer to one inbox item depends on, read when the work on it begins."""

from __future__ import annotations

from dataclasses import dataclass

from service.chat import versions
from service.chat.providers import Turn
from service.database import connection
from service.models import SETTINGS, ChatbotVersion, Conversation, InboxItem, Message, Persona, User
from service.models.statement import Statement, loaded

HISTORY = 40
# How the roles that we keep appear to a provider; what is not named here is not part of the talk.
_SPEAKERS = {"user": "user", "assistant": "assistant", "twin": "assistant"}

_VERSION = ("id", *SETTINGS)
_TALK = Statement(f"""
    SELECT {", ".join(f"v.{name}" for name in _VERSION)}, p.id, p.instructions, p.is_active, c.id, c.title
    FROM conversations c
    LEFT JOIN chatbot_versions v ON v.id = c.chatbot_version_id
    LEFT JOIN personas p ON p.id = c.persona_id
    WHERE c.chatbot_id = :chatbot AND c.channel = :channel AND c.thread = :thread""")
# PostgreSQL takes a bare `metadata ->> 'aside' IS NULL` for rare: to find 40 it would read the whole conversation.
_SPOKEN = Statement(f"""
    SELECT role, content FROM messages
    WHERE conversation_id = :conversation AND role IN ({", ".join(f"'{role}'" for role in _SPEAKERS)})
      AND CAST(metadata ->> 'aside' IS NULL AS integer) <> 0 AND error IS NULL AND id < coalesce(:end, {2**63 - 1})
    ORDER BY id DESC LIMIT :limit""")


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
        end = context.question.id if context.question else None
        newest = _SPOKEN.rows(conversation=context.conversation.id, end=end, limit=HISTORY)
        return tuple(Turn(_SPEAKERS[role], content) for role, content in reversed(newest))


def _conversation_of(item: InboxItem) -> Conversation | None:
    """The one that the item's chatbot, channel and thread name, if it has begun; with its version and its persona."""
    found = _TALK.row(chatbot=item.chatbot_id, channel=item.channel, thread=item.thread)
    if found is None:
        return None
    width = len(_VERSION)
    version, (persona, instructions, is_active), (number, title) = found[:width], found[width : width + 3], found[-2:]
    conversation = Conversation(id=number, title=title)
    if version[0] is not None:
        conversation.chatbot_version = loaded(ChatbotVersion, dict(zip(_VERSION, version, strict=True)))
    if persona is not None:
        conversation.persona = Persona(id=persona, instructions=instructions, is_active=is_active)
    return conversation


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
