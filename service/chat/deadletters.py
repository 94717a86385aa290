"""Dead letters: work that was given up, with its reason, until somebody says what becomes of it.

A message that nobody could answer lies in the inbox, an answer that could not be delivered in the outbox. A retried one
takes its old place again, before what has come to its conversation since: the next worker takes it once nothing of the
conversation is in hand, or was left by a worker that died."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, NamedTuple

from service.chat import access, wake
from service.database import connection, writing
from service.models import DEAD, DONE, QUEUED, InboxItem, OutboxItem, User
from service.models.base import shared_now
from service.models.statement import Statement, moment
from service.models.work import Job

Kind = Literal["inbox", "outbox"]
KINDS: tuple[Kind, ...] = ("inbox", "outbox")
LARGEST = 2**63 - 1  # that a number of a row can be
# So often each is tried.
ATTEMPTS: Mapping[Kind, int] = {"inbox": 5, "outbox": 10}
_MODELS: Mapping[Kind, type[Job]] = {"inbox": InboxItem, "outbox": OutboxItem}
_CHANNELS: Mapping[Kind, str] = {"inbox": wake.INBOX, "outbox": wake.OUTBOX}


class About(NamedTuple):
    """Where a row of one kind leads, for a Statement: the number of its chatbot, and what there is to be had once it is
    joined with its chatbot, `b`, and more."""

    chatbot: str
    joins: str
    conversation: str
    text: str


# An item of the inbox knows its conversation by name alone, and it may not be there yet.
ABOUT: Mapping[Kind, About] = {
    "inbox": About(
        "inbox.chatbot_id",
        """JOIN chatbots b ON b.id = inbox.chatbot_id
        LEFT JOIN conversations c
            ON c.chatbot_id = inbox.chatbot_id AND c.channel = inbox.channel AND c.thread = inbox.thread""",
        conversation="c.id",
        text="inbox.content",
    ),
    "outbox": About(
        "(SELECT m.chatbot_id FROM messages m WHERE m.id = outbox.message_id)",
        "JOIN messages m ON m.id = outbox.message_id JOIN chatbots b ON b.id = m.chatbot_id",
        conversation="outbox.conversation_id",
        text="m.content",
    ),
}
_COUNT = Statement(
    " UNION ALL ".join(
        f"SELECT '{kind}', count(*) FROM {kind} WHERE state = 'dead' AND {access.seen_of(about.chatbot)}"
        for kind, about in ABOUT.items()
    )
)
# In the order of the fields of DeadLetter.
_LISTED: Mapping[Kind, Statement] = {
    kind: Statement(f"""
        SELECT {kind}.id, b.id, b.title, {about.conversation}, {kind}.channel, {about.text},
            coalesce({kind}.error, ''), {kind}.attempts, {kind}.created_at, {kind}.finished_at
        FROM {kind} {about.joins}
        WHERE {kind}.state = 'dead' AND {kind}.id BETWEEN :least AND :most AND {access.seen_of("b.id")}
        ORDER BY {kind}.id DESC LIMIT :limit""")
    for kind, about in ABOUT.items()
}


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
    died_at: datetime | None

    def __str__(self) -> str:
        return f"{self.kind} {self.id}"


def listed(user: User, kind: Kind, *, before: int | None = None, limit: int = 50) -> list[DeadLetter]:
    """Those of the chatbots that the user may see, newest first; `before` is the id of the last one shown."""
    return _found(user, kind, 1, LARGEST if before is None else before - 1, limit)


def find(user: User, kind: Kind, number: int) -> DeadLetter | None:
    """The one of that number, unless it is none, not dead any more, or not for the user to see."""
    return next(iter(_found(user, kind, number, number, 1)), None)


def count(user: User) -> dict[Kind, int]:
    with connection():
        counted: Any = _COUNT.rows(**access.who(user))
        return dict(counted)


def _found(user: User, kind: Kind, least: int, most: int, limit: int) -> list[DeadLetter]:
    """Those with an id in between."""
    with connection():
        rows = _LISTED[kind].rows(least=least, most=most, limit=limit, **access.who(user))
    return [_letter(kind, row) for row in rows]


def _letter(kind: Kind, row: tuple[Any, ...]) -> DeadLetter:
    *said, created_at, died_at = row
    return DeadLetter(kind, *[*said, moment(created_at), moment(died_at)])


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
