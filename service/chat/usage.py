"""What happened on each day, in sums: counted from the messages once, and read by every page about many of them.

A day is one in UTC. What is deleted after that day stays in the sums."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any, NamedTuple

import peewee as pw

from service.chat import access
from service.database import connection, writing
from service.models import Conversation, Duty, Message, UsageDay, User
from service.models.base import utc_now
from service.models.statement import Statement, loaded

GROWTH = 1.1
DAY = timedelta(days=1)
# A message is stored a moment after the time that it bears, and clocks differ.
MARGIN = timedelta(hours=1)
# Whoever has this duty counts, once a minute.
DUTY = "usage"
LATE = timedelta(minutes=5)
# Its fields know how SQLite keeps a day, and JSON.
_STORED: Any = UsageDay
_SUMS = ("conversations", "messages", "answers", "errors", "input_tokens", "output_tokens")
_DUTY = Statement("SELECT done_at, held_until FROM duties WHERE name = :name")
_DAYS = f"SELECT day, {', '.join(_SUMS)}, durations FROM usage_days WHERE day BETWEEN :since AND :until AND "
_DAYS_OF_ALL = Statement(f"{_DAYS} chatbot_id IS NULL")
_DAYS_OF_SEEN = Statement(f"{_DAYS} chatbot_id IS NOT NULL AND {access.seen_of('chatbot_id')}")
_BUSIEST = Statement(f"""
    SELECT u.*, b.title FROM (
        SELECT chatbot_id, {", ".join(f"sum({name}) AS {name}" for name in _SUMS)} FROM usage_days
        WHERE day BETWEEN :since AND :until AND chatbot_id IS NOT NULL AND {access.seen_of("chatbot_id")}
        GROUP BY chatbot_id ORDER BY sum(messages) DESC LIMIT :limit
    ) u JOIN chatbots b ON b.id = u.chatbot_id ORDER BY u.messages DESC""")


@dataclass
class Sums:
    """`conversations` that began, `messages` of people, `answers` to them, and `errors`: apologies in place of one.
    `durations` counts the answers by how long they took: the upper bound in ms, to be read by `percentile`."""

    conversations: int = 0
    messages: int = 0
    answers: int = 0
    errors: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    durations: Counter[int] = field(default_factory=Counter)

    def add(self, other: Sums) -> None:
        for name in _SUMS:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.durations.update(other.durations)


@dataclass(kw_only=True)
class Day(Sums):
    day: date


class Busy(NamedTuple):
    """A chatbot with its sums of some days, without the durations."""

    chatbot_id: int
    title: str
    sums: Sums


class Standstill(NamedTuple):
    """No worker has counted for long; `since` is when one last did, None for never."""

    since: datetime | None


def standstill() -> Standstill | None:
    """None where the sums are as new as they should be, or are being counted."""
    with connection():
        duty = _DUTY.named(name=DUTY)
    found = loaded(Duty, duty) if duty else None
    return stands_still(found.done_at, found.held_until, utc_now()) if found else Standstill(None)


def stands_still(done_at: datetime | None, held_until: datetime | None, now: datetime) -> Standstill | None:
    is_counting = held_until is not None and held_until >= now
    is_fresh = done_at is not None and done_at >= now - LATE
    return None if is_counting or is_fresh else Standstill(done_at)


def bound(milliseconds: int) -> int:
    """The upper bound of the bucket in which a duration is counted; buckets grow by a tenth."""
    return math.floor(GROWTH ** math.ceil(math.log(max(milliseconds, 1), GROWTH)))


def percentile(durations: Mapping[int, int], share: float) -> int | None:
    """So many ms the given share of the answers took at most; at most a tenth too much, never too little. None where
    there were no answers."""
    rank, seen = math.ceil(share * sum(durations.values())), 0
    for upper, count in sorted(durations.items()):
        seen += count
        if seen >= max(rank, 1):
            return upper
    return None


def totals(user: User, since: date, until: date) -> list[Day]:
    """Each day from `since` up to and with `until`, over the chatbots that the user may see."""
    days = [Day(day=since + number * DAY) for number in range((until - since).days + 1)]
    asked = _DAYS_OF_ALL if access.sees_all(user) else _DAYS_OF_SEEN
    with connection():
        for day, *sums, durations in asked.rows(since=since, until=until, **access.who(user)):
            counted = _summed(sums, _STORED.durations.python_value(durations))
            days[(_STORED.day.python_value(day) - since).days].add(counted)
    return days


def busiest(user: User, since: date, until: date, limit: int) -> list[Busy]:
    """The chatbots that were asked most on the same days."""
    with connection():
        rows = _BUSIEST.rows(since=since, until=until, limit=limit, **access.who(user))
        return [Busy(number, title, _summed(sums, {})) for number, *sums, title in rows]


def stale(counted_at: datetime | None, now: datetime, first: datetime | None) -> list[date]:
    """The days to count (anew): from the one of the last count on, or from the first message's."""
    begin = counted_at - MARGIN if counted_at else first
    if begin is None:
        return []
    return [begin.date() + number * DAY for number in range((now.date() - begin.date()).days + 1)]


def first_message_at() -> datetime | None:
    with connection():
        found: datetime | None = Message.select(pw.fn.MIN(Message.created_at)).scalar()
        return found


def count(day: date) -> int:
    """Count one day from its messages, and put that in place of what was counted before; returns for how many
    chatbots there was something to count."""
    with connection() as database, writing(database):
        counted = _counted(day)
        for chatbot, sums in counted.items():
            _keep(day, chatbot, sums)
        if counted:
            add_up(day)
    return len(counted)


def add_up(day: date) -> None:
    """Put the sum over all chatbots in place. From their sums, not from the messages: what was deleted since stays."""
    whole = Sums()
    for row in UsageDay.select().where(UsageDay.day == day, UsageDay.chatbot.is_null(False)):
        whole.add(_sums(row))
    _keep(day, None, whole)


def _counted(day: date) -> dict[int, Sums]:
    start = datetime.combine(day, time())
    counted: dict[int, Sums] = {}
    for chatbot, role, is_error, duration, number, tokens_in, tokens_out in _spoken(start).tuples():
        sums = counted.setdefault(chatbot, Sums())
        if role == "user":
            sums.messages += number
        elif is_error:
            sums.errors += number
        else:
            sums.answers += number
            if duration is not None:
                sums.durations[bound(duration)] += number
        sums.input_tokens += tokens_in
        sums.output_tokens += tokens_out
    for chatbot, number in _begun(start).tuples():
        counted.setdefault(chatbot, Sums()).conversations = number
    return counted


def _spoken(start: datetime) -> Any:
    groups = (Message.chatbot, Message.role, Message.error.is_null(False), Message.duration_ms)
    tokens = [pw.fn.COALESCE(pw.fn.SUM(column), 0) for column in (Message.input_tokens, Message.output_tokens)]
    query = Message.select(*groups, pw.fn.COUNT(Message.id), *tokens).group_by(*groups)
    # Commands are no part of the talk, and are answered so fast that they would flatter the chatbot.
    is_counted = Message.role.in_(["user", "assistant", "twin"]) & Message.metadata["aside"].is_null()
    return query.where(is_counted, Message.created_at >= start, Message.created_at < start + DAY)


def _begun(start: datetime) -> Any:
    """`updated_at` narrows the search: it has the index, and what was touched before that day did not begin on it."""
    is_of_day = (Conversation.created_at >= start) & (Conversation.created_at < start + DAY)
    query = Conversation.select(Conversation.chatbot, pw.fn.COUNT(Conversation.id)).group_by(Conversation.chatbot)
    return query.where(Conversation.updated_at >= start - MARGIN, is_of_day)


def _keep(day: date, chatbot: int | None, sums: Sums) -> None:
    values = {name: getattr(sums, name) for name in _SUMS} | {"durations": dict(sums.durations)}
    known = (UsageDay.day == day) & (UsageDay.chatbot.is_null() if chatbot is None else UsageDay.chatbot == chatbot)
    if not UsageDay.update(values).where(known).execute():
        UsageDay.insert(day=day, chatbot=chatbot, **values).execute()


def _sums(row: UsageDay) -> Sums:
    return _summed([getattr(row, name) for name in _SUMS], row.durations)


def _summed(values: list[Any], durations: Mapping[str, int]) -> Sums:
    """From what is stored: JSON has texts for names, and PostgreSQL's sum over a bigint is a Decimal."""
    sums: dict[str, Any] = dict(zip(_SUMS, map(int, values), strict=True))
    return Sums(**sums, durations=Counter({int(upper): number for upper, number in durations.items()}))
