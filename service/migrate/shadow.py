"""What the schema should be after each migration, worked out beside the live one and without a trace.

On PostgreSQL the migrations run in a scratch schema inside a transaction that always rolls back: no second database, no
right to make one. On SQLite they run in memory.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import peewee as pw

from service.migrate import schema
from service.migrate.connection import APPLICATION, Connection, connect, explain
from service.migrate.engine import Engine
from service.migrate.errors import BrokenScript, MigrateError
from service.migrate.files import MigrationFile
from service.migrate.schema import Snapshot
from service.migrate.steps import Step
from service.url import MEMORY, DatabaseUrl

_CONCURRENTLY = re.compile(r"\bCONCURRENTLY\b", re.IGNORECASE)


class _Undo(Exception):
    """Ends the transaction of the shadow; never seen outside."""


@dataclass(frozen=True)
class Trial:
    """The schema before a migration, after it, and after its rollback; None where `problem` came in between."""

    before: Snapshot
    after: Snapshot | None = None
    back: Snapshot | None = None
    problem: str = ""


def snapshots(url: DatabaseUrl, files: Sequence[MigrationFile]) -> list[Snapshot]:
    """The schema before the first of these migrations and after each of them: one more than there are files.
    Raises BrokenScript where a migration can't run on empty tables."""
    with scratch(url) as (connection, engine):
        return _after_each(connection, engine, files)


def trial(url: DatabaseUrl, files: Sequence[MigrationFile], draft: MigrationFile) -> Trial:
    """Apply a migration that no database has seen, after these, and undo it."""
    with scratch(url) as (connection, engine):
        before = _after_each(connection, engine, files)[-1]
        after = None
        try:
            after = _after_each(connection, engine, [draft])[-1]
            for step in engine.rollback_steps(draft):
                _run(engine, step)
            return Trial(before, after, schema.take(connection))
        except Exception as error:
            cause = error.__cause__ if isinstance(error, BrokenScript) and error.__cause__ else error
            return Trial(before, after, None, explain(cause))


def made_by(url: DatabaseUrl, make: Callable[[pw.Database], None]) -> Snapshot:
    """The schema that a function makes in an empty database."""
    with scratch(url) as (connection, engine):
        make(engine.database)
        return schema.take(connection)


@contextmanager
def scratch(url: DatabaseUrl) -> Iterator[tuple[Connection, Engine]]:
    """An empty place of the database's own kind, of which nothing remains."""
    place = DatabaseUrl("sqlite", MEMORY) if url.is_sqlite else url
    connection = connect(place, application=f"{APPLICATION}-shadow")
    try:
        connection.execute("PRAGMA foreign_keys = OFF" if url.is_sqlite else "SELECT 1")
        engine = Engine(connection, ())
        with _silent_migrations(), suppress(_Undo), engine.database.atomic():
            if not url.is_sqlite:
                name = f"slipway_shadow_{os.getpid()}"
                connection.execute(f"CREATE SCHEMA {name}")
                connection.execute(f"SET LOCAL search_path = {name}")
            yield connection, engine
            raise _Undo
    finally:
        connection.close()


def _after_each(connection: Connection, engine: Engine, files: Sequence[MigrationFile]) -> list[Snapshot]:
    found = [schema.take(connection)]
    for file in files:
        try:
            for step in engine.steps(file):
                _run(engine, step)
        except MigrateError:
            raise
        except (Exception, SystemExit) as error:
            raise BrokenScript(file.name, f"{type(error).__name__}: {error}".splitlines()[0]) from error
        found.append(schema.take(connection))
    return found


def _run(engine: Engine, step: Step) -> None:
    """A step inside the shadow's transaction, where an index can't be built concurrently and need not be."""
    if _CONCURRENTLY.search(step.sql):
        engine.database.execute_sql(_CONCURRENTLY.sub("", step.sql, count=1))
    else:
        step.run()


@contextmanager
def _silent_migrations() -> Iterator[None]:
    """What a migration says about empty tables is of no interest to anybody."""
    logger = logging.getLogger("migrations")
    was_disabled, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = was_disabled
