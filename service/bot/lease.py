"""Leases on the rows of the inbox and the outbox: who holds one works on it, until the lease runs out.

A row is in a lane: the messages of one conversation. The rows of a lane are worked on one at a time, in the order in
which they were stored; a dead letter that is retried comes first, but not before a later row that was begun.

A lease is fenced by its holder's name and the number of the attempt, so that a worker that was thought dead can't
finish what somebody else has taken over. Times are by the clock that all workers share."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Generic, TypeVar

from service.database import connection
from service.models import DEAD, LEASED, QUEUED
from service.models.base import shared_now
from service.models.statement import Statement
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
        """What else is told to who takes the row is told again, as it is by now."""
        with connection():
            told = _renew(self.queue).named(**self._mine, seconds=self.seconds)
        self._check(1 if told else 0)
        for name, value in (told or {}).items():
            setattr(self.item, name, value)

    def finish(self) -> None:
        with connection():
            self._check(_finish(self.queue.model).changed(**self._mine))

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
            self._check(model.update(values).where((model.id == self.item.id) & is_mine).execute())

    @property
    def _mine(self) -> dict[str, Any]:
        return {"id": self.item.id, "holder": self.holder, "attempt": self.item.attempts}

    def _check(self, rows: int) -> None:
        if rows != 1:
            self.is_over.set()
            raise LeaseLost(f"{self} is no longer leased by {self.holder}.")


_FREE = {"leased_by": None, "leased_until": None}


@lru_cache
def _renew(queue: Queue[Any]) -> Statement:
    return Statement(f"""
        UPDATE {queue.model._meta.table_name} SET leased_until = :later
        WHERE id = :id AND state = 'leased' AND leased_by = :holder AND attempts = :attempt
        RETURNING {queue.told or "id"}""")


@lru_cache
def _finish(model: type[Job]) -> Statement:
    """Written by hand, since it is part of every answer."""
    return Statement(f"""
        UPDATE {model._meta.table_name}
        SET state = 'done', finished_at = :now, error = NULL, leased_by = NULL, leased_until = NULL
        WHERE id = :id AND state = 'leased' AND leased_by = :holder AND attempts = :attempt""")
