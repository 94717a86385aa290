"""What the schema should be after each migration, worked out beside the live one and without a trace.

On PostgreSQL the migrations run in a scratch schema inside a transaction that always rolls back: no second database, no
right to make one. On SQLite they run in memory.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from service.migrate import schema
from service.migrate.connection import APPLICATION, Connection, connect
from service.migrate.engine import Engine
from service.migrate.errors import BrokenScript, MigrateError
from service.migrate.files import MigrationFile
from service.migrate.schema import Snapshot
from service.migrate.verbs import Step
from service.url import MEMORY, DatabaseUrl

_CONCURRENTLY = re.compile(r"\bCONCURRENTLY\b", re.IGNORECASE)


class _Undo(Exception):
    """Ends the transaction of the shadow; never seen outside."""


def snapshots(url: DatabaseUrl, files: Sequence[MigrationFile]) -> list[Snapshot]:
    """The schema before the first of these migrations and after each of them: one more than there are files.
    Raises BrokenScript where a migration can't run on empty tables."""
    place = DatabaseUrl("sqlite", MEMORY) if url.is_sqlite else url
    connection = connect(place, application=f"{APPLICATION}-shadow")
    try:
        with _silent_migrations():
            return _in_memory(connection, files) if url.is_sqlite else _in_scratch_schema(connection, files)
    finally:
        connection.close()


def _in_memory(connection: Connection, files: Sequence[MigrationFile]) -> list[Snapshot]:
    connection.execute("PRAGMA foreign_keys = OFF")
    engine = Engine(connection, ())
    with engine.database.atomic():
        return _after_each(connection, engine, files)


def _in_scratch_schema(connection: Connection, files: Sequence[MigrationFile]) -> list[Snapshot]:
    name = f"slipway_shadow_{os.getpid()}"
    engine = Engine(connection, ())
    found: list[Snapshot] = []
    try:
        with engine.database.atomic():
            connection.execute(f"CREATE SCHEMA {name}")
            connection.execute(f"SET LOCAL search_path = {name}")
            found = _after_each(connection, engine, files)
            raise _Undo
    except _Undo:
        return found


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
