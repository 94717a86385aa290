"""Work that is not done yet: messages that wait for an answer, answers that wait for delivery, who has them in hand.

`deadletters` has what was given up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from service.chat import access
from service.chat.deadletters import ABOUT, ATTEMPTS, Kind
from service.database import connection
from service.models import LEASED, User
from service.models.base import utc_now
from service.models.statement import Statement, moment

# The rows of a lane are worked on one after the other.
_LANES: Mapping[Kind, tuple[str, ...]] = {"inbox": ("chatbot_id", "channel", "thread"), "outbox": ("conversation_id",)}
# The partial index `…_waiting` holds exactly these rows.
_OPEN = "state IN ('queued', 'leased')"
_HELD = "(state = 'leased' AND leased_until >= :now)"
# So long a row that could be taken may lie there before something is wrong.
PATIENCE = timedelta(seconds=30)
# How many, how many of them in hand, since when the oldest waits; and whether anything is in hand, be it for others.
_DEPTH = Statement(
    " UNION ALL ".join(
        f"""
        SELECT '{kind}', count(*), sum(CASE WHEN {_HELD} THEN 1 ELSE 0 END), min(created_at),
            EXISTS (SELECT 1 FROM {kind} WHERE {_HELD})
        FROM {kind} WHERE {_OPEN} AND {access.seen_of(about.chatbot)}"""
        for kind, about in ABOUT.items()
    )
)
# Since when the first that could be taken is there to be taken, where nobody is at work.
_UNTAKEN: Mapping[Kind, Statement] = {
    kind: Statement(f"""
        SELECT coalesce(leased_until, available_at) FROM {kind}
        WHERE {_OPEN} AND (state = 'leased' OR available_at <= :now) AND {access.seen_of(about.chatbot)}
            AND NOT EXISTS (SELECT 1 FROM {kind} e WHERE e.{_OPEN} AND e.id < {kind}.id
                AND {" AND ".join(f"e.{column} = {kind}.{column}" for column in _LANES[kind])})
        ORDER BY id LIMIT 1""")
    for kind, about in ABOUT.items()
}
# In the order of the fields of Item.
_LISTED: Mapping[Kind, Statement] = {
    kind: Statement(f"""
        SELECT {kind}.id, b.title, {about.conversation}, {kind}.channel, {about.text}, {kind}.state, {kind}.attempts,
            {kind}.leased_by, {kind}.error, {_HELD}, {kind}.begun_at, {kind}.available_at, {kind}.created_at
        FROM {kind} {about.joins}
        WHERE {kind}.{_OPEN} AND {access.seen_of("b.id")} ORDER BY {kind}.id LIMIT :limit""")
    for kind, about in ABOUT.items()
}


@dataclass(frozen=True)
class Item:
    """`text` is the question in the inbox, the answer in the outbox; `reason` is what the last attempt failed with.
    `holder` began with it at `begun_at`; without a lease that holds, it has gone silent, and anybody may take it."""

    kind: Kind
    id: int
    chatbot: str
    conversation_id: int | None
    channel: str
    text: str
    state: str
    attempts: int
    holder: str | None
    reason: str | None
    is_in_hand: bool
    begun_at: datetime | None
    available_at: datetime
    created_at: datetime

    @property
    def is_abandoned(self) -> bool:
        return self.state == LEASED and not self.is_in_hand

    @property
    def tries(self) -> int:
        """How often it is tried at most."""
        return ATTEMPTS[self.kind]


class Depth(NamedTuple):
    """How much of one kind there is, and how long the oldest has waited. `idle`: for so long something could have been
    taken, and nobody has anything in hand; nothing while work goes on."""

    waiting: int
    in_hand: int
    age: timedelta
    idle: timedelta = timedelta()

    @property
    def is_neglected(self) -> bool:
        return self.idle > PATIENCE


def listed(user: User, kind: Kind, limit: int = 50) -> list[Item]:
    """What waits for the chatbots that the user may see, in the order in which it came."""
    with connection():
        rows = _LISTED[kind].rows(limit=limit, **access.who(user))
    return [_item(kind, row) for row in rows]


def _item(kind: Kind, row: tuple[Any, ...]) -> Item:
    """SQLite answers a question with 0 or 1."""
    *said, is_in_hand, begun_at, available_at, created_at = row
    return Item(kind, *[*said, bool(is_in_hand), moment(begun_at), moment(available_at), moment(created_at)])


def depth(user: User) -> dict[Kind, Depth]:
    with connection():
        return {kind: _depth(user, kind, *counted) for kind, *counted in _DEPTH.rows(**access.who(user))}


def _depth(user: User, kind: Kind, total: int, in_hand: int | None, oldest: Any, is_anybody_at_work: bool) -> Depth:
    untaken = _UNTAKEN[kind].row(**access.who(user)) if total and not is_anybody_at_work else None
    return Depth(total - (in_hand or 0), in_hand or 0, _since(oldest), _since(untaken[0] if untaken else None))


def _since(stored: Any) -> timedelta:
    return max(utc_now() - moment(stored), timedelta()) if stored else timedelta()
