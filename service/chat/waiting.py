"""Work that is not done yet: messages that wait for an answer, answers that wait for delivery, who has them in hand.

`deadletters` has what was given up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import peewee as pw

from service.chat import access
from service.chat.deadletters import ATTEMPTS, CHATBOTS, KINDS, Kind, is_of_conversation
from service.database import connection
from service.models import LEASED, QUEUED, Chatbot, Conversation, InboxItem, Message, OutboxItem, User
from service.models.base import shared_now, utc_now
from service.models.statement import Statement

# The rows of a lane are worked on one after the other.
_LANES: Mapping[Kind, tuple[str, ...]] = {"inbox": ("chatbot", "channel", "thread"), "outbox": ("conversation",)}
_HELD = "(state = 'leased' AND leased_until >= :now)"
# So long a row that could be taken may lie there before something is wrong.
PATIENCE = timedelta(seconds=30)
# How many, how many of them in hand, since when the oldest waits; and whether anything is in hand, be it for others.
_DEPTH = Statement(
    " UNION ALL ".join(
        f"""
        SELECT '{kind}', count(*), sum(CASE WHEN {_HELD} THEN 1 ELSE 0 END), min(created_at),
            EXISTS (SELECT 1 FROM {kind} WHERE {_HELD})
        FROM {kind} WHERE state IN ('queued', 'leased') AND {access.seen_of(CHATBOTS[kind])}"""
        for kind in KINDS
    )
)


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
    begun_at: datetime | None
    is_in_hand: bool
    available_at: datetime
    created_at: datetime
    reason: str | None

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
    model = _model(kind)
    with connection():
        query = _open(user, kind, *_columns(kind))
        if kind == "inbox":
            query = query.join_from(InboxItem, Conversation, pw.JOIN.LEFT_OUTER, on=is_of_conversation())
        rows = query.order_by(model.id).limit(limit).namedtuples()
        return [_item(kind, row._asdict()) for row in rows]


def _item(kind: Kind, row: dict[str, Any]) -> Item:
    """SQLite answers a question with 0 or 1."""
    return Item(kind=kind, **row | {"is_in_hand": bool(row["is_in_hand"])})


def depth(user: User) -> dict[Kind, Depth]:
    with connection():
        rows = _DEPTH.rows(**access.who(user))
        return {kind: _depth(user, kind, *counted) for kind, *counted in rows}


def _depth(user: User, kind: Kind, total: int, in_hand: int | None, oldest: Any, is_anybody_at_work: bool) -> Depth:
    oldest = _model(kind).created_at.python_value(oldest)
    untaken = _untaken(user, kind) if total and not is_anybody_at_work else None
    return Depth(total - (in_hand or 0), in_hand or 0, _since(oldest), _since(untaken))


def _untaken(user: User, kind: Kind) -> datetime | None:
    """Since when the first row that could be taken is there to be taken; None where there is none."""
    model = _model(kind)
    earlier = model.alias()
    same_lane = [getattr(earlier, name) == getattr(model, name) for name in _LANES[kind]]
    is_behind = earlier.select().where(earlier.state.in_([QUEUED, LEASED]), earlier.id < model.id, *same_lane)
    is_due = (model.state == LEASED) | (model.available_at <= shared_now())
    free_since = pw.fn.COALESCE(model.leased_until, model.available_at)
    found = _open(user, kind, free_since).where(is_due, ~pw.fn.EXISTS(is_behind)).order_by(model.id).limit(1)
    moment: datetime | None = found.scalar()
    return moment


def _is_held(model: Any) -> Any:
    return (model.state == LEASED) & (model.leased_until >= shared_now())


def _since(moment: datetime | None) -> timedelta:
    return max(utc_now() - moment, timedelta()) if moment else timedelta()


def _model(kind: Kind) -> Any:
    return InboxItem if kind == "inbox" else OutboxItem


def _open(user: User, kind: Kind, *columns: Any) -> Any:
    """The partial index `…_waiting` holds exactly these rows."""
    query: Any = _model(kind).select(*columns)
    query = query.join(Chatbot) if kind == "inbox" else query.join(Message).join(Chatbot)
    return access.seen(user, query.where(_model(kind).state.in_([QUEUED, LEASED])))


def _columns(kind: Kind) -> tuple[Any, ...]:
    model, text = _model(kind), InboxItem.content if kind == "inbox" else Message.content
    return (
        *(model.id, model.channel, model.state, model.attempts, model.available_at, model.created_at),
        *(Chatbot.title.alias("chatbot"), text.alias("text"), model.error.alias("reason")),
        (Conversation.id if kind == "inbox" else OutboxItem.conversation).alias("conversation_id"),
        *(model.leased_by.alias("holder"), model.begun_at, _is_held(model).alias("is_in_hand")),
    )
