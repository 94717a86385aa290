"""What the schema should be after each migration, worked out beside the live one and without a trace.

On PostgreSQL the migrations run in a scratch schema inside a transaction that always rolls back: no second database, no
right to make one. So do those that make schemas of their own, each in another one. On SQLite they run in memory.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from typing import NamedTuple

import peewee as pw

from service.migrate.applying import contention, settings
from service.migrate.applying.engine import Engine
from service.migrate.applying.recorded import EndsTransaction
from service.migrate.connection import APPLICATION, Connection, connect, explain
from service.migrate.errors import BrokenScript, MigrateError
from service.migrate.files import MigrationFile
from service.migrate.proving import schema
from service.migrate.proving.snapshot import Snapshot
from service.migrate.proving.standing_in import StandIns
from service.url import MEMORY, DatabaseUrl

_WAIT = "1s"
_BUSY = "Somebody is at work in what it names of another schema: try again when they are done."
_NO_END = "Take that out of the file: the runner begins and commits."


class _Undo(Exception):
    """Ends the transaction of the shadow; never seen outside."""


class Scratch(NamedTuple):
    """An empty place to try things in; on PostgreSQL scratch schemas, which stand for live ones."""

    connection: Connection
    engine: Engine
    names: StandIns

    def taken(self) -> Snapshot:
        return schema.take(self.connection, self.names.others, self.names.called)


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
                step.run()
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
            names = StandIns()
            if not url.is_sqlite:
                names = StandIns(connection.execute("SELECT quote_ident(current_schema())").fetchone()[0])
                connection.execute(f"CREATE SCHEMA {names.first}")
            place = Scratch(connection, engine, names)
            _settle(place)
            engine.database.reword = names.reword
            with _bound(connection):
                yield place
            raise _Undo
    finally:
        connection.close()


def _bound(connection: Connection) -> AbstractContextManager[None]:
    """In memory there is nothing live to get at."""
    if connection.is_sqlite:
        return nullcontext()
    from service.migrate.proving.bounds import bound  # here, so that SQLite users do not need the driver

    return bound(connection.raw)


def _settle(place: Scratch) -> None:
    """Live objects, which a migration may name with their schema, are never waited for: who comes next would have to
    wait for them behind us. A migration that computes for a while leaves the transaction idle."""
    if place.names.first:
        place.connection.execute(
            f"SET LOCAL search_path = {place.names.first}; SET LOCAL lock_timeout = '{_WAIT}';"
            " SET LOCAL idle_in_transaction_session_timeout = 0"
        )


def _after_each(place: Scratch, files: Sequence[MigrationFile]) -> list[Snapshot]:
    found = [place.taken()]
    for file in files:
        play(place, file)
        found.append(place.taken())
    return found


def play(place: Scratch, file: MigrationFile, hear: Callable[[str], object] = lambda _sql: None) -> None:
    """Run a migration there; `hear` gets each statement as the migration has it, and of a backfill, which finds no row,
    a comment. Raises BrokenScript where it can't run on empty tables."""

    def reword(sql: str) -> str:
        hear(sql)
        return place.names.reword(sql)

    try:
        database = place.engine.database_of(file)
        database.reword = reword
        for step in place.engine.steps(file):
            if step.backfill:
                hear(f"-- backfill of {step.backfill.tally.table}, in batches")
            step.run()
        settings.reset(place.connection, database.spoken_of)
        _settle(place)
    except EndsTransaction as error:
        raise BrokenScript(file.name, f"{error.statement}, which would end what it is tried in", _NO_END) from error
    except MigrateError:
        raise
    except (Exception, SystemExit) as error:
        hint = [_BUSY] if contention.is_contention(error) else []
        raise BrokenScript(file.name, f"{type(error).__name__}: {error}".splitlines()[0], *hint) from error


@contextmanager
def _silent_migrations() -> Iterator[None]:
    """What a migration says about empty tables is of no interest to anybody."""
    logger = logging.getLogger("migrations")
    was_disabled, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = was_disabled
