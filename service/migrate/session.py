"""One run of the runner: on what, how patiently, and who hears of it; its connection, and its lock."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from service.migrate import connection, heal, tables
from service.migrate.connection import Connection
from service.migrate.history import History
from service.migrate.patience import Patience
from service.migrate.waits import Wait
from service.url import DatabaseUrl

if TYPE_CHECKING:
    from service.migrate.backfilling.tally import Tally

Kind = Literal[
    "connecting",
    "waiting",
    "waited",
    "blocked",
    "starting",
    "applied",
    "rolled back",
    "recorded",
    "forgotten",
    "unchanged",
    "ended",
    "backfilling",
]

_ATTEMPTS_BETWEEN_WORDS = 5
# From this version on PostgreSQL may end a session that says nothing.
_ENDS_IDLE = 140000


class Event(NamedTuple):
    """Something that happened: to which migration, how long it took in seconds, and what else there is to say;
    `tally` is how far a backfill is, after each batch; `waits` are the parts of its time that went by for others;
    `is_python` says of a start that some of it is Python, which may log."""

    kind: Kind
    migration: str = ""
    seconds: float = 0.0
    detail: str = ""
    tally: Tally | None = None
    waits: tuple[Wait, ...] = ()
    is_python: bool = False


class Target(NamedTuple):
    """Which database and which folder, and how patient to be. Waits are in seconds. `left` is a connection of the
    driver's to that database, in autocommit, to go on with."""

    url: DatabaseUrl
    folder: Path
    release: str = ""
    database_wait: float = 0.0
    lock_wait: float = 600.0
    patience: Patience = Patience()
    tell: Callable[[Event], None] = lambda _event: None
    left: Any = None


class Outcome(NamedTuple):
    """What was done, and how the database stands now. `ahead` are applied migrations that have no file here; `waits`
    are those before the first migration could begin."""

    done: tuple[Event, ...]
    newest: str
    total: int
    ahead: tuple[str, ...] = ()
    waits: tuple[Wait, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Plain values."""
        done = [
            {"migration": event.migration, "result": event.kind, "seconds": round(event.seconds, 3)}
            | {"waits": [wait._asdict() for wait in event.waits]}
            for event in self.done
        ]
        waits = [wait._asdict() for wait in self.waits]
        return {"done": done, "newest": self.newest, "total": self.total, "ahead": list(self.ahead), "waits": waits}


@contextmanager
def connected(target: Target) -> Iterator[Connection]:
    told = ""

    def on_attempt(attempt: int, reason: str) -> None:
        nonlocal told
        if reason != told or attempt % _ATTEMPTS_BETWEEN_WORDS == 0:
            target.tell(Event("connecting", detail=f"attempt {attempt}: {reason}"))
        told = reason

    if target.left and not target.left.closed:
        database = Connection(target.left, target.url)
    else:
        database = connection.connect(
            target.url, wait=target.database_wait, on_attempt=on_attempt, application=heal.APPLICATION
        )
    _tell_waits(target, database.waits)
    try:
        yield database
    finally:
        database.close()


def _tell_waits(target: Target, waits: Sequence[Wait]) -> None:
    for wait in waits:
        target.tell(Event("waited", seconds=wait.seconds, waits=(wait,)))


def _stay(database: Connection) -> None:
    """Who waits for another deploy says nothing meanwhile. A pooler's session is not ours to set."""
    if not database.is_sqlite and database.raw.server_version >= _ENDS_IDLE and not database.is_pooled:
        database.execute("SET idle_session_timeout = 0")


@contextmanager
def locked(target: Target, database: Connection) -> Iterator[History]:
    def on_wait(holder: str, seconds: float) -> None:
        _stay(database)
        target.tell(Event("waiting", seconds=seconds, detail=holder))

    from service.migrate import lock  # here: a no-op takes no lock

    with lock.deploy_lock(target.url, seconds=target.lock_wait, on_wait=on_wait) as waited:
        _tell_waits(target, waited)
        for session in heal.end_leftovers(database):
            target.tell(Event("ended", detail=session))
        tables.prepare(database)
        _tell_waits(target, database.toll.waits())
        history = History(database, target.release, (*database.waits, *waited, *database.toll.waits()))
        history.close_abandoned()
        yield history
