"""What a transcript shows: the messages around a place, the tools that were called for them, and what they reply to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import peewee as pw

from service.models import Conversation, Message, Persona, ToolLog, User

MESSAGES_SHOWN = 100
# So many messages before the one that somebody jumps to.
BEFORE = 20
# In the order of the fields of Said and Face.
COLUMNS = (
    *(Message.id, Message.conversation, Message.role, Message.content, Message.reply_to, Message.metadata),
    *(Message.created_at, Message.duration_ms, Message.input_tokens, Message.output_tokens, Message.error),
    *(User.name, Persona.name, Persona.color),
)


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
    metadata: dict[str, Any]
    created_at: datetime
    duration_ms: int | None
    input_tokens: int | None
    output_tokens: int | None
    error: str | None
    user: str | None
    persona: Face | None


@dataclass(frozen=True)
class Transcript:
    """`messages` in the order in which they were said; `older` is the id of the first, if there are older ones;
    `quoted` has what a message replies to, by the id of the reply."""

    messages: list[Said]
    tools: dict[int, list[ToolLog]]
    quoted: dict[int, Message]
    older: int | None
    has_newer: bool


NOTHING = Transcript([], {}, {}, older=None, has_newer=False)


def latest(conversation: Conversation, before: int | None = None) -> Transcript:
    """The end of the transcript, or of what was said before a message."""
    query = said(conversation)
    if before is not None:
        query = query.where(Message.id < before)
    rows = read(query.order_by(Message.id.desc()).limit(MESSAGES_SHOWN + 1))
    return of(rows[:MESSAGES_SHOWN][::-1], has_older=len(rows) > MESSAGES_SHOWN, has_newer=before is not None)


def around(conversation: Conversation, place: int) -> Transcript:
    """With this message in it, be there more before it, after it or both."""
    query = said(conversation)
    above = read(query.where(Message.id < place).order_by(Message.id.desc()).limit(BEFORE + 1))
    room = MESSAGES_SHOWN - len(above[:BEFORE])
    below = read(query.where(Message.id >= place).order_by(Message.id).limit(room + 1))
    return of([*above[:BEFORE][::-1], *below[:room]], has_older=len(above) > BEFORE, has_newer=len(below) > room)


def said(conversation: Conversation) -> Any:
    """The messages, with who spoke and as which persona; to be narrowed, and then given to `read`."""
    return (
        Message.select(*COLUMNS)
        .join(Persona, pw.JOIN.LEFT_OUTER)
        .switch(Message)
        .join(User, pw.JOIN.LEFT_OUTER)
        .where(Message.conversation == conversation)
    )


def read(query: Any) -> list[Said]:
    """What there is of a query that `said` began."""
    return [
        Said._make([*values, None if name is None else Face(name, color)]) for *values, name, color in query.tuples()
    ]


def called(messages: Sequence[Said]) -> dict[int, list[ToolLog]]:
    """The tool calls behind each message."""
    calls: dict[int, list[ToolLog]] = {message.id: [] for message in messages}
    for call in ToolLog.select().where(ToolLog.message.in_(list(calls))).order_by(ToolLog.id):
        calls[call.__data__["message"]].append(call)
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
