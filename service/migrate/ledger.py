"""What the database remembers of its migrations, as plain data."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, NamedTuple

from service.migrate.waits import Wait

Command = Literal["deploy", "rollback"]


class Applied(NamedTuple):
    """A row of the history. What peewee-migrate wrote before us has no checksum. `waited_ms` is the part of
    `duration_ms` that went by waiting for locks that others held; `down_checksum` is that of the file that undoes a
    migration in SQL, where one was there and we kept it. One that ended its own transaction, and was stopped
    after that, was `stopped_in` a deploy or a rollback; else that is None."""

    name: str
    applied_at: datetime | None
    checksum: str | None = None
    duration_ms: int | None = None
    release: str | None = None
    origin: str | None = None
    breaking: bool = False
    waited_ms: int | None = None
    down_checksum: str | None = None
    stopped_in: Command | None = None

    @property
    def is_half(self) -> bool:
        return self.stopped_in is not None


class Attempt(NamedTuple):
    """A row of the journal; `step` of `steps` counts the operations of a migration that is not atomic."""

    action: str
    migration: str
    step: int
    steps: int
    state: str
    error: str | None
    started: datetime | None
    finished: datetime | None
    host: str
    pid: int
    release: str | None
    waits: tuple[Wait, ...] = ()

    @property
    def seconds(self) -> float | None:
        """How long it took; None while it runs, and where the clock went back meanwhile."""
        took = (self.finished - self.started).total_seconds() if self.finished and self.started else None
        return None if took is None or took < 0 else took


class Ledger(NamedTuple):
    """What the database remembers. `is_ours` is false while our columns are not there yet. `half_undone` are the
    rollbacks that are between two steps or stopped there, and that nobody has finished or resolved."""

    is_ours: bool
    applied: tuple[Applied, ...]
    unfinished: tuple[Attempt, ...] = ()
    half_undone: tuple[Attempt, ...] = ()
