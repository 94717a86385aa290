"""Leases on the rows of the inbox and the outbox: who holds one works on it, until the lease runs out.

A row is in a lane: the messages of one conversation. The rows of a lane are worked on one at a time, in the order in
which they were stored; a dead letter that is retried comes first, but not while a later row is in hand.

A lease is fenced by its holder's name and the number of the attempt, so that a worker that was thought dead can't
finish what somebody else has taken over. Times are by the clock that all workers share."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import peewee as pw

from service.database import connection, is_sqlite, writing
from service.models import DEAD, DONE, LEASED, QUEUED
from service.models.base import shared_now
from service.models.work import Job

J = TypeVar("J", bound=Job)


class LeaseLost(Exception):
    """The row is somebody else's by now; what was done on it must not be written."""


@dataclass(frozen=True)
class Queue(Generic[J]):
    """One table of work: which fields name a lane, which rows it is about, how often and after which delays
    a row is tried."""

    name: str
    model: type[J]
    lane: tuple[str, ...]
    only: pw.Expression | None = None
    attempts: int = 5
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


def claim(queue: Queue[J], holder: str, seconds: float) -> Lease[J] | None:
    """The first row that nobody holds and that is first in its lane, leased to `holder`; None if there is none.

    A holder works on one row at a time: what it still holds when it asks for more, it has dropped, and gets again."""
    with connection() as database:
        candidate = _first_free(queue, holder, database)
        if is_sqlite(database) and not candidate.exists():
            return None  # looking takes no lock, so that idle workers keep out of everybody's way
        with writing(database):
            leased = queue.model.update(
                state=LEASED,
                attempts=queue.model.attempts + 1,
                leased_by=holder,
                leased_until=shared_now(seconds),
            )
            rows = list(leased.where(queue.model.id == candidate).returning(queue.model).execute())
    return Lease(queue, rows[0], holder, seconds) if rows else None


def _first_free(queue: Queue[J], holder: str, database: pw.Database) -> pw.ModelSelect[J]:
    model, other = queue.model, queue.model.alias("other")
    same_lane = [getattr(other, name) == getattr(model, name) for name in queue.lane]
    is_waiting = other.state.in_([QUEUED, LEASED])
    is_in_hand = (other.state == LEASED) & (other.leased_until >= shared_now()) & (other.leased_by != holder)
    ahead = other.select(pw.SQL("1")).where(
        other.id != model.id, is_waiting, *same_lane, (other.id < model.id) | is_in_hand
    )
    is_free = ((model.state == QUEUED) & (model.available_at <= shared_now())) | (
        (model.state == LEASED) & ((model.leased_until < shared_now()) | (model.leased_by == holder))
    )
    query = model.select(model.id).where(is_free, ~pw.fn.EXISTS(ahead)).order_by(model.id).limit(1)
    if queue.only is not None:
        query = query.where(queue.only)
    return query if is_sqlite(database) else query.for_update(skip_locked=True)
