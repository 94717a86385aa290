"""Dead letters: work that was given up, with its reason, until somebody says what becomes of it.

A message that nobody could answer lies in the inbox, an answer that could not be delivered in the outbox. A retried one
takes its old place again, before what has come to its conversation since: the next worker takes it once nothing of the
conversation is in hand, or was left by a worker that died."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import peewee as pw

from service.chat import access, wake
from service.database import connection, writing
from service.models import DEAD, DONE, QUEUED, Chatbot, Conversation, InboxItem, Message, OutboxItem, User
from service.models.base import shared_now
from service.models.statement import Statement
from service.models.work import Job

Kind = Literal["inbox", "outbox"]
KINDS: tuple[Kind, ...] = ("inbox", "outbox")
# So often each is tried.
ATTEMPTS: Mapping[Kind, int] = {"inbox": 5, "outbox": 10}
_MODELS: Mapping[Kind, type[Job]] = {"inbox": InboxItem, "outbox": OutboxItem}
_CHANNELS: Mapping[Kind, str] = {"inbox": wake.INBOX, "outbox": wake.OUTBOX}
# Whose a row of each kind is: in a Statement, the number of its chatbot.
CHATBOTS: Mapping[Kind, str] = {
    "inbox": "inbox.chatbot_id",
    "outbox": "(SELECT m.chatbot_id FROM messages m WHERE m.id = outbox.message_id)",
}
_COUNT = Statement(
    " UNION ALL ".join(
        f"SELECT '{kind}', count(*) FROM {kind} WHERE state = 'dead' AND {access.seen_of(CHATBOTS[kind])}"
        for kind in KINDS
    )
)


@dataclass(frozen=True)
class DeadLetter:
    """`text` is the question in the inbox, the answer in the outbox; `reason` is what the last attempt failed with."""

    kind: Kind
    id: int
    chatbot_id: int
    chatbot: str
    conversation_id: int | None
    channel: str
    text: str
    reason: str
    attempts: int
    created_at: datetime
    died_at: datetime

    def __str__(self) -> str:
        return f"{self.kind} {self.id}"


def listed(user: User, kind: Kind, *, before: int | None = None, limit: int = 50) -> list[DeadLetter]:
    """Those of the chatbots that the user may see, newest first; `before` is the id of the last one shown."""
    model = _MODELS[kind]
    with connection():
        query = _seen(user, kind).order_by(model.id.desc()).limit(limit)
        if before is not None:
            query = query.where(model.id < before)
        return [_letter(kind, row) for row in query]


def find(user: User, kind: Kind, number: int) -> DeadLetter | None:
    """The one of that number, unless it is none, not dead any more, or not for the user to see."""
    with connection():
        row = _seen(user, kind).where(_MODELS[kind].id == number).first()
        return _letter(kind, row) if row else None


def count(user: User) -> dict[Kind, int]:
    with connection():
        counted: Any = _COUNT.rows(**access.who(user))
        return dict(counted)


def retry(letter: DeadLetter) -> bool:
    """Have it tried again, as if it had never been tried; False when somebody else was first to decide."""
    again = {"state": QUEUED, "attempts": 0, "available_at": shared_now(), "finished_at": None}
    with connection() as database, writing(database):
        is_mine = _settle(letter, again)
        if is_mine:
            wake.wake(database, _CHANNELS[letter.kind])
    return is_mine


def drop(letter: DeadLetter) -> bool:
    """Leave it at that. The row stays, with its reason, until retention removes it: by it the channel's own number for
    the message is known."""
    with connection() as database, writing(database):
        return _settle(letter, {"state": DONE, "finished_at": shared_now()})


def _settle(letter: DeadLetter, values: Mapping[str, Any]) -> bool:
    model = _MODELS[letter.kind]
    rows = model.update(dict(values)).where((model.id == letter.id) & (model.state == DEAD)).execute()
    return bool(rows)


def _seen(user: User, kind: Kind) -> Any:
    """Everything that a DeadLetter says in one query, by the names of its fields."""
    return (_inbox(user) if kind == "inbox" else _outbox(user)).namedtuples()


def _inbox(user: User) -> Any:
    """An apology, if one could be written, tells the conversation; else it is found by the name that the item has."""
    columns = (*_common(InboxItem), Conversation.id.alias("conversation_id"), InboxItem.content.alias("text"))
    return _dead(user, "inbox", *columns).join_from(
        InboxItem, Conversation, pw.JOIN.LEFT_OUTER, on=is_of_conversation()
    )


def is_of_conversation() -> Any:
    """By the name that an item of the inbox has for it: the conversation may not be there yet."""
    return (
        (Conversation.chatbot == InboxItem.chatbot)
        & (Conversation.channel == InboxItem.channel)
        & (Conversation.thread == InboxItem.thread)
    )


def _outbox(user: User) -> Any:
    columns = (*_common(OutboxItem), OutboxItem.conversation.alias("conversation_id"), Message.content.alias("text"))
    return _dead(user, "outbox", *columns)


def _dead(user: User, kind: Kind, *columns: Any) -> Any:
    model = _MODELS[kind]
    query: Any = model.select(*columns)
    query = query.join(Chatbot) if kind == "inbox" else query.join(Message).join(Chatbot)
    return access.seen(user, query.where(model.state == DEAD))


def _common(model: type[InboxItem] | type[OutboxItem]) -> tuple[Any, ...]:
    return (
        *(model.id, model.channel, model.attempts, model.created_at),
        *(model.error.alias("reason"), model.finished_at.alias("died_at")),
        *(Chatbot.id.alias("chatbot_id"), Chatbot.title.alias("chatbot")),
    )


def _letter(kind: Kind, row: Any) -> DeadLetter:
    values = row._asdict()
    return DeadLetter(kind=kind, **values | {"reason": values["reason"] or ""})
