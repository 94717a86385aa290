"""Work that is not done yet: messages that wait for an answer, answers that wait for delivery, who has them in hand.

`deadletters` has what was given up."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import peewee as pw

from service.chat import access
from service.chat.deadletters import KINDS, Kind
from service.database import connection
from service.models import LEASED, QUEUED, Chatbot, InboxItem, Message, OutboxItem, User
from service.models.base import utc_now


@dataclass(frozen=True)
class Item:
    """`text` is the question in the inbox, the answer in the outbox; `reason` is what the last attempt failed with."""

    kind: Kind
    id: int
    chatbot: str
    channel: str
    text: str
    state: str
    attempts: int
    holder: str | None
    held_until: datetime | None
    available_at: datetime
    created_at: datetime
    reason: str | None

    @property
    def is_in_hand(self) -> bool:
        return self.state == LEASED


class Depth(NamedTuple):
    """How much of one kind there is, and how long the oldest has waited."""

    waiting: int
    in_hand: int
    age: timedelta


def listed(user: User, kind: Kind, limit: int = 50) -> list[Item]:
    """What waits for the chatbots that the user may see, in the order in which it came."""
    model = _model(kind)
    with connection():
        rows = _open(user, kind, *_columns(kind)).order_by(model.id).limit(limit).namedtuples()
        return [Item(kind=kind, **row._asdict()) for row in rows]


def depth(user: User) -> dict[Kind, Depth]:
    with connection():
        return {kind: _depth(user, kind) for kind in KINDS}


def _depth(user: User, kind: Kind) -> Depth:
    model = _model(kind)
    in_hand = pw.fn.SUM(pw.Case(None, [(model.state == LEASED, 1)], 0))
    query = _open(user, kind, pw.fn.COUNT(model.id), in_hand, pw.fn.MIN(model.created_at))
    total, held, oldest = query.tuples().get()
    age = max(utc_now() - oldest, timedelta()) if oldest else timedelta()
    return Depth(total - (held or 0), held or 0, age)


def _model(kind: Kind) -> Any:
    return InboxItem if kind == "inbox" else OutboxItem


def _open(user: User, kind: Kind, *columns: Any) -> Any:
    """The partial index `…_waiting` holds exactly these rows."""
    chatbots = access.chatbots(user).select(Chatbot.id)
    query: Any = _model(kind).select(*columns)
    query = query.join(Chatbot) if kind == "inbox" else query.join(Message).join(Chatbot)
    return query.where(_model(kind).state.in_([QUEUED, LEASED]), Chatbot.id.in_(chatbots))


def _columns(kind: Kind) -> tuple[Any, ...]:
    model, text = _model(kind), InboxItem.content if kind == "inbox" else Message.content
    return (
        *(model.id, model.channel, model.state, model.attempts, model.available_at, model.created_at),
        *(Chatbot.title.alias("chatbot"), text.alias("text"), model.error.alias("reason")),
        *(model.leased_by.alias("holder"), model.leased_until.alias("held_until")),
    )
