"""The transaction around a migration, or around one step of it: everything or nothing, and nothing undeclared."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence, Set
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from functools import partial
from typing import Any, cast

from service.migrate.applying import contention
from service.migrate.connection import COMMIT, Connection, Statement
from service.migrate.errors import Refused
from service.migrate.patience import Patience

# PostgreSQL manual, "Asynchronous Commit".
_UNAWAITED: Statement = ("SET LOCAL synchronous_commit = off", ())
LOST = "this would be lost without having been declared:"
# Sends our last statements, and after them those that it is given: on PostgreSQL COMMIT, in the same round trip.
Last = Callable[..., None]
# A row of SQLite's foreign_key_check: table, rowid, the table it points to.
Violation = tuple[str, int, str]


@contextmanager
def transaction(
    connection: Connection,
    database: Any,
    patience: Patience,
    touches: Set[str],
    first: Statement | None = None,
    last: Last | None = None,
    *,
    is_followed: bool = False,
) -> Iterator[Any]:
    """`database` is Peewee's, on the same connection; what `touches` names may lose rows. `first` is a statement of
    ours that it begins with, and its cursor what the block gets; `last` sends what it ends with. One that `is_followed`
    does not wait for the disk: none that comes after it outlasts a power cut without it, and one of these waits.
    Raises Refused."""
    database.is_atomic = True
    opening = [*contention.timeouts(connection, patience, is_local=True), *([first] if first else [])]
    begin = _sqlite if connection.is_sqlite else _postgresql
    with begin(connection, database, opening, last, is_followed) as cursor, _conserved(connection, database, touches):
        yield cursor


def bare(connection: Connection, database: Any, patience: Patience) -> AbstractContextManager[Any]:
    """With the timeouts and nothing else, for one batch of a backfill."""
    if connection.is_sqlite:
        return cast("AbstractContextManager[Any]", database.atomic("IMMEDIATE"))
    return _postgresql(connection, database, contention.timeouts(connection, patience, is_local=True))


@contextmanager
def read_only(connection: Connection, database: Any) -> Iterator[None]:
    """For the body of a migration in steps: what it changed itself would be no step, and done again after a crash."""
    database.is_atomic = True
    if not connection.is_sqlite:
        with database.atomic():
            connection.execute("SET TRANSACTION READ ONLY")
            yield
        return
    connection.execute("PRAGMA query_only = ON")
    try:
        yield
    finally:
        connection.execute("PRAGMA query_only = OFF")


def refuse_orphans(orphans: Set[Violation]) -> None:
    """Raise Refused with what would be lost where rows point to rows that are no longer there."""
    counts = Counter((child, parent) for child, _, parent in orphans)
    if counts:
        lost = ", ".join(f"{count} of {child} to {parent}" for (child, parent), count in sorted(counts.items()))
        raise Refused(f"rows would point to rows that are not there ({lost})")


@contextmanager
def _postgresql(
    connection: Connection,
    database: Any,
    opening: Sequence[Statement],
    last: Last | None = None,
    is_followed: bool = False,
) -> Iterator[Any]:
    """What a transaction begins with takes one round trip, together with its BEGIN; and so does what it ends with."""

    def begin() -> Any:
        try:
            return connection.execute_all(("BEGIN", ()), *opening)
        except BaseException:
            with suppress(Exception):  # the connection may be what failed; the first error is the one that counts
                connection.execute("ROLLBACK")
            raise

    end = [*([_UNAWAITED] if is_followed else []), (COMMIT, ())]
    with database.framed(begin, partial(last, *end) if last else None) as cursor:
        yield cursor


@contextmanager
def _sqlite(
    connection: Connection, database: Any, opening: Sequence[Statement], last: Last | None, is_followed: bool
) -> Iterator[Any]:
    """The foreign keys are off meanwhile, since a table that is rebuilt would take its children along (SQLite manual,
    "Making Other Kinds Of Table Schema Changes"). The pragma does nothing inside a transaction, so it comes first."""
    connection.execute("PRAGMA foreign_keys = OFF")
    try:
        with _unawaited(connection) if is_followed else nullcontext(), database.atomic("IMMEDIATE"):
            yield connection.execute_all(*opening) if opening else None
            if last:
                last()
    finally:
        connection.execute("PRAGMA foreign_keys = ON")


@contextmanager
def _unawaited(connection: Connection) -> Iterator[None]:
    """Only with the write-ahead log: without it the database could be torn (SQLite manual, "PRAGMA synchronous")."""
    (mode,), (awaits,) = (connection.execute(f"PRAGMA {name}").fetchone() for name in ("journal_mode", "synchronous"))
    if mode == "wal":
        connection.execute("PRAGMA synchronous = NORMAL")
    try:
        yield
    finally:
        if not connection.is_in_transaction:  # a signal may have come before its ROLLBACK
            connection.execute(f"PRAGMA synchronous = {awaits}")


@contextmanager
def _conserved(connection: Connection, database: Any, touches: Set[str]) -> Iterator[None]:
    """What is there is taken down before the first statement that could lose some of it or leave a reference to what
    is gone, if there is one; to look at large tables takes long."""
    database.forget()
    losses: Callable[[], list[str]] | None = None

    def look() -> None:
        nonlocal losses
        losses = losses or _losses(connection, database, touches)

    database.before_loss = look
    try:
        yield
    finally:
        database.before_loss = None
    lost = losses and losses()
    if lost:
        raise Refused(f"{LOST} {', '.join(lost)}")


def _losses(connection: Connection, database: Any, touches: Set[str]) -> Callable[[], list[str]]:
    """Look now; what it returns looks again, and tells what was lost since. Raises Refused for new orphans."""
    from service.migrate.applying import conserve  # here: what only adds goes without

    before, orphans = conserve.take(connection), _violations(connection)

    def compare() -> list[str]:
        after = conserve.take(connection)
        lost = conserve.losses(before, after, database.spoken_of | touches, database.rebuilt)
        if not lost:
            refuse_orphans(_violations(connection) - orphans)
        return lost

    return compare


def _violations(connection: Connection) -> set[Violation]:
    """On SQLite; PostgreSQL minds its foreign keys itself."""
    if not connection.is_sqlite:
        return set()
    return {row[:3] for row in connection.execute("PRAGMA foreign_key_check").fetchall()}
