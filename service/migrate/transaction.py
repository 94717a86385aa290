"""The transaction around a migration, or around one step of it: everything or nothing, and nothing undeclared."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Set
from contextlib import contextmanager
from typing import Any

from service.migrate import conserve, contention
from service.migrate.connection import Connection
from service.migrate.errors import Refused
from service.migrate.patience import Patience

LOST = "this would be lost without having been declared:"
# A row of SQLite's foreign_key_check: table, rowid, the table it points to.
Violation = tuple[str, int, str]


@contextmanager
def transaction(connection: Connection, database: Any, patience: Patience, touches: Set[str]) -> Iterator[None]:
    """`database` is Peewee's, on the same connection; what `touches` names may lose rows. Raises Refused."""
    database.is_atomic = True
    with _sqlite(connection, database) if connection.is_sqlite else database.atomic():
        contention.set_timeouts(connection, patience, is_local=True)
        with _conserved(connection, database, touches):
            yield


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
def _sqlite(connection: Connection, database: Any) -> Iterator[None]:
    """The foreign keys are off meanwhile, since a table that is rebuilt would take its children along, and checked
    before the commit (SQLite manual, "Making Other Kinds Of Table Schema Changes"). The pragma does nothing inside a
    transaction, so it comes first."""
    connection.execute("PRAGMA foreign_keys = OFF")
    try:
        with database.atomic("IMMEDIATE"):
            before = _violations(connection)
            yield
            refuse_orphans(_violations(connection) - before)
    finally:
        connection.execute("PRAGMA foreign_keys = ON")


@contextmanager
def _conserved(connection: Connection, database: Any, touches: Set[str]) -> Iterator[None]:
    """What is there is taken down before the first statement that could lose some of it, if there is one."""
    database.forget()
    before: list[conserve.Inventory] = []

    def look() -> None:
        if not before:
            before.append(conserve.take(connection))

    database.before_loss = look
    try:
        yield
    finally:
        database.before_loss = None
    lost = before and conserve.losses(
        before[0], conserve.take(connection), database.spoken_of | touches, database.rebuilt
    )
    if lost:
        raise Refused(f"{LOST} {', '.join(lost)}")


def _violations(connection: Connection) -> set[Violation]:
    return {row[:3] for row in connection.execute("PRAGMA foreign_key_check").fetchall()}
