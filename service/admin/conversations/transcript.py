"""What a transcript shows: the messages around a place, the tools that were called for them, and what they reply to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from service.models import Conversation, Message, ToolLog
from service.models.statement import Statement, moment

MESSAGES_SHOWN = 100
# Of a user, it is their own name.
SPEAKERS = {"assistant": "Chatbot", "twin": "Twin", "system": "System", "tool": "Tool"}
# So many messages before the one that somebody jumps to.
BEFORE = 20
LARGEST = 2**63 - 1  # that a message's number can be
# In the order of the fields of Said and Face.
_SAID = """
    SELECT m.id, m.conversation_id, m.role, m.content, m.reply_to_id, m.duration_ms, m.input_tokens, m.output_tokens,
        m.error, u.name, m.metadata, m.created_at, p.name, p.color
    FROM messages m LEFT JOIN users u ON u.id = m.user_id LEFT JOIN personas p ON p.id = m.persona_id
    WHERE m.conversation_id = :conversation"""
_BEFORE = Statement(f"{_SAID} AND m.id < :place ORDER BY m.id DESC LIMIT :limit")
_FROM = Statement(f"{_SAID} AND m.id >= :place ORDER BY m.id LIMIT :limit")
# New messages, and those with a new tool call.
_SINCE = Statement(f"""{_SAID} AND m.id IN (
        SELECT id FROM messages WHERE conversation_id = :conversation AND id > :message
        UNION SELECT message_id FROM tool_logs WHERE session_id = :conversation AND id > :call
    ) ORDER BY m.id DESC LIMIT :limit""")
_CALLED = Statement("""
    SELECT id, message_id, server, tool, result, error, duration_ms, arguments FROM tool_logs
    WHERE session_id = :conversation AND message_id BETWEEN :first AND :last ORDER BY id""")
_ABOUT = Statement("""
    SELECT b.title, v.number, u.name, p.name, p.color
    FROM conversations c JOIN chatbots b ON b.id = c.chatbot_id
    LEFT JOIN chatbot_versions v ON v.id = c.chatbot_version_id
    LEFT JOIN users u ON u.id = c.user_id
    LEFT JOIN personas p ON p.id = c.persona_id
    WHERE c.id = :id""")
# They know how SQLite keeps JSON.
_METADATA: Any = Message.metadata
_ARGUMENTS: Any = ToolLog.arguments


class Face(NamedTuple):
    """A persona, as far as a transcript shows them."""

    name: str
    color: str


class Said(NamedTuple):
    """A message with who spoke, plain: a page has a hundred of them, and as models they took as long as the query."""

    id: int
    conversation_id: int
    role: str
    content: str
    reply_to: int | None
    duration_ms: int | None
    input_tokens: int | None
    output_tokens: int | None
    error: str | None
    user: str | None
    metadata: dict[str, Any]
    created_at: datetime
    persona: Face | None

    @property
    def speaker(self) -> str:
        """The name that stands over it."""
        if self.persona:
            return self.persona.name
        return SPEAKERS.get(self.role) or ("Visitor" if self.user is None else self.user)


class Call(NamedTuple):
    """A tool call, as far as a transcript shows it."""

    id: int
    message_id: int
    server: str
    tool: str
    result: str | None
    error: str | None
    duration_ms: int | None
    arguments: Any


class About(NamedTuple):
    """The names of what belongs to a conversation; `version` is the number of the one that it began with."""

    chatbot: str
    version: int | None
    user: str | None
    persona: Face | None


@dataclass(frozen=True)
class Transcript:
    """`messages` in the order in which they were said; `older` is the id of the first, if there are older ones;
    `quoted` has what a message replies to, by the id of the reply."""

    messages: list[Said]
    tools: dict[int, list[Call]]
    quoted: dict[int, Message]
    older: int | None
    has_newer: bool


NOTHING = Transcript([], {}, {}, older=None, has_newer=False)


def latest(conversation: Conversation, before: int | None = None) -> Transcript:
    """The end of the transcript, or of what was said before a message."""
    rows = _read(_BEFORE, conversation, MESSAGES_SHOWN + 1, place=LARGEST if before is None else before)
    return of(rows[:MESSAGES_SHOWN][::-1], has_older=len(rows) > MESSAGES_SHOWN, has_newer=before is not None)


def around(conversation: Conversation, place: int) -> Transcript:
    """With this message in it, be there more before it, after it or both."""
    above = _read(_BEFORE, conversation, BEFORE + 1, place=place)
    room = MESSAGES_SHOWN - len(above[:BEFORE])
    below = _read(_FROM, conversation, room + 1, place=place)
    return of([*above[:BEFORE][::-1], *below[:room]], has_older=len(above) > BEFORE, has_newer=len(below) > room)


def since(conversation: Conversation, message: int, call: int) -> Transcript:
    """The messages that came after that one, or have a tool call that came after that one."""
    return of(_read(_SINCE, conversation, MESSAGES_SHOWN, message=message, call=call)[::-1])


def about(conversation: Conversation) -> About:
    [(chatbot, version, user, *face)] = _ABOUT.rows(id=conversation.id)
    return About(chatbot, version, user, _face(*face))


def _read(asked: Statement, conversation: Conversation, limit: int, **place: int) -> list[Said]:
    rows = asked.rows(conversation=conversation.id, limit=limit, **place)
    return [
        Said._make([*said, _METADATA.python_value(metadata), moment(created_at), _face(name, color)])
        for *said, metadata, created_at, name, color in rows
    ]


def _face(name: str | None, color: str) -> Face | None:
    return None if name is None else Face(name, color)


def called(messages: Sequence[Said]) -> dict[int, list[Call]]:
    """The tool calls behind each message; all messages are of one conversation."""
    calls: dict[int, list[Call]] = {message.id: [] for message in messages}
    if messages:
        span = {"conversation": messages[0].conversation_id, "first": messages[0].id, "last": messages[-1].id}
        for *values, arguments in _CALLED.rows(**span):
            call = Call._make([*values, _ARGUMENTS.python_value(arguments)])
            if call.message_id in calls:
                calls[call.message_id].append(call)
    return calls


def quoted(messages: Sequence[Said]) -> dict[int, Message]:
    """What a message replies to, where that does not stand right above it."""
    above = [None, *(message.id for message in messages)]
    targets = {message.id: message.reply_to for message in messages}
    far = {
        number: target
        for (number, target), neighbour in zip(targets.items(), above, strict=False)
        if target not in (None, neighbour)
    }
    if not far:
        return {}
    columns = (Message.id, Message.content, Message.role)
    found = {message.id: message for message in Message.select(*columns).where(Message.id.in_(list(far.values())))}
    return {number: found[target] for number, target in far.items() if target in found}


def of(messages: list[Said], *, has_older: bool = False, has_newer: bool = False) -> Transcript:
    """With all that belongs to these messages."""
    return Transcript(
        messages=messages,
        tools=called(messages),
        quoted=quoted(messages),
        older=messages[0].id if has_older else None,
        has_newer=has_newer,
    )
