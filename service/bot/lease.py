"""Leases on the rows of the inbox and the outbox: who holds one works on it, until the lease runs out.

A row is in a lane: the messages of one conversation. The rows of a lane are worked on one at a time, in the order in
which they were stored; a dead letter that is retried comes first, but not while a later row is in hand.

A lease is fenced by its holder's name and the number of the attempt, so that a worker that was thought dead can't
finish what somebody else has taken over. Times are by the clock that all workers share."""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import peewee as pw

from service.database import connection, is_sqlite, proxy
from service.models import DEAD, DONE, LEASED, QUEUED
from service.models.base import shared_now
from service.models.work import Job

J = TypeVar("J", bound=Job)


class LeaseLost(Exception):
    """The row is somebody else's by now; what was done on it must not be written."""


@dataclass(frozen=True)
class Queue(Generic[J]):
    """One table of work: which fields name a lane, how often a row is tried, which channel's rows it is about if not
    all, what else than the row (SQL) who takes one is told, after which delays a row is tried again."""

    name: str
    model: type[J]
    lane: tuple[str, ...]
    attempts: int
    channel: str | None = None
    told: str = ""
    first_delay: float = 1.0
    longest_delay: float = 300.0

    def delay(self, attempt: int) -> float:
        """Seconds until the next attempt: doubled each time, up to the longest."""
        return min(self.first_delay * 2.0 ** (attempt - 1), self.longest_delay)


@dataclass(frozen=True)
class Lease(Generic[J]):
    """`is_over` is set once the row is known to be somebody else's: who still works on it may stop."""

    queue: Queue[J]
    item: J
    holder: str
    seconds: float
    is_over: threading.Event = field(default_factory=threading.Event, compare=False)

    def __str__(self) -> str:
        return f"{self.queue.name} {self.item.id}"

    @property
    def is_last_attempt(self) -> bool:
        return self.item.attempts >= self.queue.attempts

    @property
    def is_exhausted(self) -> bool:
        """Each attempt was begun and none was ever finished: its workers died over it."""
        return self.item.attempts > self.queue.attempts

    def renew(self) -> None:
        self.keep(leased_until=shared_now(self.seconds))

    def finish(self) -> None:
        self.keep(state=DONE, finished_at=shared_now(), error=None, **_FREE)

    def bury(self, error: str) -> None:
        """No further attempt: the row stays as a dead letter, with the reason."""
        self.keep(state=DEAD, finished_at=shared_now(), error=error, **_FREE)

    def retry(self, error: str, delay: float) -> None:
        self.keep(state=QUEUED, available_at=shared_now(delay), error=error, **_FREE)

    def release(self, delay: float = 0.0) -> None:
        """Give the row back untried: the attempt doesn't count."""
        self.keep(state=QUEUED, available_at=shared_now(delay), attempts=self.item.attempts - 1, **_FREE)
        self.is_over.set()

    def keep(self, **values: Any) -> None:
        """Note something in the row while working on it."""
        model = self.queue.model
        is_mine = (model.state == LEASED) & (model.leased_by == self.holder) & (model.attempts == self.item.attempts)
        with connection():
            rows = model.update(values).where((model.id == self.item.id) & is_mine).execute()
        if rows != 1:
            self.is_over.set()
            raise LeaseLost(f"{self} is no longer leased by {self.holder}.")


_FREE = {"leased_by": None, "leased_until": None}


# Written by hand, since every worker asks it all the time: Peewee takes longer to put it together than PostgreSQL takes
# to answer it. The literals let both engines see that the indexes of what waits are enough.
_FIRST_FREE = """
SELECT id FROM {table} mine
WHERE (state = 'queued' AND available_at <= :now
       OR state = 'leased' AND (leased_until < :now OR leased_by = :holder))
  AND {is_wanted}
  AND NOT EXISTS (
    SELECT 1 FROM {table} other
    WHERE other.id <> mine.id AND other.state IN ('queued', 'leased') AND {same_lane}
      AND (other.id < mine.id
           OR other.state = 'leased' AND other.leased_until >= :now AND other.leased_by <> :holder))
ORDER BY id LIMIT 1"""
_LEASE = """
UPDATE {table}
SET state = 'leased', attempts = attempts + 1, leased_by = :holder, leased_until = :until, begun_at = :now
WHERE id = ({first_free}) RETURNING {told}"""


def claim(queue: Queue[J], holder: str, seconds: float) -> Lease[J] | None:
    """The first row that nobody holds and that is first in its lane, leased to `holder`; None if there is none.

    A holder works on one row at a time: what it still holds when it asks for more, it has dropped, and gets again."""
    values = {"holder": holder, "channel": queue.channel, "now": shared_now(), "until": shared_now(seconds)}
    table = queue.model._meta.table_name
    with connection() as database:
        first_free = _first_free(queue, table)
        if is_sqlite(database):
            if not _rows(queue.model, first_free, values):
                return None  # looking takes no lock, so that idle workers keep out of everybody's way
        else:
            first_free += " FOR UPDATE SKIP LOCKED"
        told = f"*, {queue.told}" if queue.told else "*"
        rows = _rows(queue.model, _LEASE.format(table=table, first_free=first_free, told=told), values)
    return Lease(queue, rows[0], holder, seconds) if rows else None


def _first_free(queue: Queue[J], table: str) -> str:
    columns = [getattr(queue.model, name).column_name for name in queue.lane]
    same_lane = " AND ".join(f"other.{column} = mine.{column}" for column in columns)
    is_wanted = "TRUE" if queue.channel is None else "channel = :channel"
    return _FIRST_FREE.format(table=table, is_wanted=is_wanted, same_lane=same_lane)


def _rows(model: type[J], text: str, values: Mapping[str, Any]) -> list[J]:
    """Run the statement with its `:names` replaced by values, which may be SQL themselves."""
    parameters: list[Any] = []

    def place(match: re.Match[str]) -> str:
        value = values[match[1]]
        is_sql = isinstance(value, pw.SQL)
        parameters.extend(value.params if is_sql else [value])
        return str(value.sql if is_sql else proxy.obj.param)

    statement = re.sub(r":(\w+)", place, text)
    return list(model.raw(statement, *parameters))
