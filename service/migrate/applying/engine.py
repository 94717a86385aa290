"""Runs migration files on one connection, with the state of the tables replayed safely."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from service.migrate import contents, files
from service.migrate.applying import statements
from service.migrate.applying.recorded import Recorded, SqlDatabase
from service.migrate.applying.steps import Execute, Step, Steps, Verbs
from service.migrate.connection import Connection
from service.migrate.errors import BrokenScript
from service.migrate.files import MigrationFile

if TYPE_CHECKING:
    from service.migrate.altering.verbs import Migrator


class Engine:
    """Runs migrations on one connection. `applied` are the files whose effects the database already has."""

    def __init__(self, connection: Connection, applied: Sequence[MigrationFile]) -> None:
        self._connection, self._is_sqlite, self._applied = connection, connection.is_sqlite, applied

    @cached_property
    def database(self) -> Any:
        """Peewee's, which is imported by the first migration in Python."""
        from service.migrate.applying.adopted import adopt

        return adopt(self._connection)

    def database_of(self, file: MigrationFile) -> Recorded:
        """The one that the steps of a file work on."""
        return self._sql if file.is_sql else self.database

    @cached_property
    def _sql(self) -> SqlDatabase:
        return SqlDatabase(self._connection)

    @cached_property
    def _verbs(self) -> Verbs:
        return Verbs(self.database, self._whole_migrator, is_sqlite=self._is_sqlite)

    def steps(self, file: MigrationFile) -> list[Step]:
        """What the migration would do, in order; a body that works directly on the database does so now."""
        if file.is_sql:
            return self._sql_steps(file.place)
        collected = self._verbs.begin(file.place)
        files.load(file).migrate(self._verbs, self.database, fake=False)
        return collected

    def rollback_steps(self, file: MigrationFile) -> list[Step]:
        """What undoes the migration, which has been asked whether anything does."""
        if file.is_sql:
            assert file.down
            return self._sql_steps(file.down)
        rollback = files.load(file).rollback
        assert rollback
        collected = self._verbs.begin(file.place)
        rollback(self._verbs, self.database, fake=False)
        return collected

    def _whole_migrator(self) -> Migrator:
        from service.migrate.altering.verbs import Migrator

        return Migrator(self.database, lambda: list(replay(self._applied, is_sqlite=self._is_sqlite).orm))

    def _sql_steps(self, place: str | Path) -> list[Step]:
        found = statements.split(contents.text(place), is_sqlite=self._is_sqlite)
        return [Step(Execute(self._sql, each.sql), each.line, each.sql) for each in found]


def replay(applied: Sequence[MigrationFile], *, is_sqlite: bool) -> Migrator:
    """The state of the tables after these migrations, worked out on a stand-in that no statement leaves.
    Raises BrokenScript where a body can't do without answers."""
    from service.migrate.altering.verbs import Migrator
    from service.migrate.applying.standin import stand_in

    database = stand_in(is_sqlite=is_sqlite)
    migrator = Migrator(database)
    for file in applied:
        if not file.is_sql:
            migrator.begin(Steps(file.place))
            try:
                files.load(file).migrate(migrator, database, fake=True)
            except (Exception, SystemExit) as error:
                raise BrokenScript(file.name, f"{type(error).__name__}: {error}") from error
    return migrator


def line_of_traceback(traceback: TracebackType | None, path: str) -> int:
    """The deepest line of `path` in a traceback; 0 where there is none."""
    line = 0
    while traceback is not None:
        if traceback.tb_frame.f_code.co_filename == path:
            line = traceback.tb_lineno
        traceback = traceback.tb_next
    return line
