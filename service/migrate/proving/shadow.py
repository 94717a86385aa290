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
from typing import NamedTuple

import peewee as pw

from service.migrate.applying import settings
from service.migrate.applying.engine import Engine
from service.migrate.applying.steps import Step
from service.migrate.connection import APPLICATION, Connection, connect, explain
from service.migrate.errors import BrokenScript, MigrateError
from service.migrate.files import MigrationFile
from service.migrate.proving import schema
from service.migrate.proving.snapshot import Snapshot
from service.url import MEMORY, DatabaseUrl

_CONCURRENTLY = re.compile(r"\bCONCURRENTLY\b", re.IGNORECASE)


class _Undo(Exception):
    """Ends the transaction of the shadow; never seen outside."""


class Scratch(NamedTuple):
    """An empty place to try things in; on PostgreSQL the scratch schema, and the one that it stands for."""

    connection: Connection
    engine: Engine
    schema: str = ""
    live: str = ""

    def taken(self) -> Snapshot:
        return schema.take(self.connection, self.live)


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
    with scratch(url) as place:
        return _after_each(place, files)


def trial(url: DatabaseUrl, files: Sequence[MigrationFile], draft: MigrationFile) -> Trial:
    """Apply a migration that no database has seen, after these, and undo it."""
    with scratch(url) as place:
        before = _after_each(place, files)[-1]
        after = None
        try:
            after = _after_each(place, [draft])[-1]
            for step in place.engine.rollback_steps(draft):
                _run(place, step)
            return Trial(before, after, place.taken())
        except Exception as error:
            cause = error.__cause__ if isinstance(error, BrokenScript) and error.__cause__ else error
            return Trial(before, after, None, explain(cause))


def made_by(url: DatabaseUrl, make: Callable[[pw.Database], None]) -> Snapshot:
    """The schema that a function makes in an empty database."""
    with scratch(url) as place:
        make(place.engine.database)
        return place.taken()


@contextmanager
def scratch(url: DatabaseUrl) -> Iterator[Scratch]:
    """An empty place of the database's own kind, of which nothing remains."""
    where = DatabaseUrl("sqlite", MEMORY) if url.is_sqlite else url
    connection = connect(where, application=f"{APPLICATION}-shadow")
    try:
        connection.execute("PRAGMA foreign_keys = OFF" if url.is_sqlite else "SELECT 1")
        engine = Engine(connection, ())
        with _silent_migrations(), suppress(_Undo), engine.database.atomic():
            place = Scratch(connection, engine)
            if not url.is_sqlite:
                live = connection.execute("SELECT quote_ident(current_schema())").fetchone()[0]
                place = Scratch(connection, engine, f"slipway_shadow_{os.getpid()}", live)
                connection.execute(f"CREATE SCHEMA {place.schema}")
                _settle(place)
            yield place
            raise _Undo
    finally:
        connection.close()


def _settle(place: Scratch) -> None:
    place.connection.execute(f"SET LOCAL search_path = {place.schema}")


def _after_each(place: Scratch, files: Sequence[MigrationFile]) -> list[Snapshot]:
    found = [place.taken()]
    for file in files:
        try:
            for step in place.engine.steps(file):
                _run(place, step)
            settings.reset(place.connection, place.engine.database_of(file).spoken_of)
            if place.schema:
                _settle(place)
        except MigrateError:
            raise
        except (Exception, SystemExit) as error:
            raise BrokenScript(file.name, f"{type(error).__name__}: {error}".splitlines()[0]) from error
        found.append(place.taken())
    return found


def _run(place: Scratch, step: Step) -> None:
    """A step inside the shadow's transaction, where an index can't be built concurrently and need not be. What names
    the live schema, as the statements of a dump do, means this one."""
    sql = _CONCURRENTLY.sub("", step.sql, count=1)
    if place.schema:
        sql = _here(place, sql)
    if sql != step.sql:
        place.engine.database.execute_sql(sql)
    else:
        step.run()


def _here(place: Scratch, sql: str) -> str:
    """With its quotes, so that a text that is kept, as a function's is, reads the same when it is taken back."""
    live = re.escape(place.live)
    name = rf"""(?<![\w."'])("?){live}\1""" if not place.live.startswith('"') else f"(){live}"
    pattern = name if settings.moves(sql) else rf"{name}(?=\.)|(?<='){live}(?=\.)"
    return re.sub(pattern, rf"\1{place.schema}\1", sql)


@contextmanager
def _silent_migrations() -> Iterator[None]:
    """What a migration says about empty tables is of no interest to anybody."""
    logger = logging.getLogger("migrations")
    was_disabled, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = was_disabled
