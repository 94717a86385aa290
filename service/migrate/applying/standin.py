"""A database without a server behind it, on which applied migrations are replayed to learn what tables they made."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import peewee as pw


def stand_in(*, is_sqlite: bool) -> pw.Database:
    """Takes every statement and answers nothing, so that an old migration's body never touches the live database."""
    return _UnconnectedSqlite("replay") if is_sqlite else _UnconnectedPostgresql("replay")


class _EmptyCursor:
    """What a migration body reads while it is only replayed: nothing."""

    description, lastrowid, rowcount = None, None, 0

    def execute(self, *_arguments: Any) -> _EmptyCursor:
        return self

    executemany = execute

    def fetchone(self) -> None:
        return None

    def fetchall(self) -> list[Any]:
        return []

    def fetchmany(self, *_arguments: Any) -> list[Any]:
        return []

    def __iter__(self) -> Iterator[Any]:
        return iter(())

    def close(self) -> None:
        pass


class _Unconnected:
    """A database without a server behind it: every statement goes nowhere and every answer is empty."""

    def execute_sql(self, *_arguments: Any, **_options: Any) -> _EmptyCursor:
        return _EmptyCursor()

    def cursor(self, *_arguments: Any) -> _EmptyCursor:
        return _EmptyCursor()

    def connection(self) -> Any:
        return self

    def commit(self) -> None:
        pass

    rollback = commit

    def get_tables(self, *_arguments: Any) -> list[str]:
        return []


class _UnconnectedSqlite(_Unconnected, pw.SqliteDatabase):
    pass


class _UnconnectedPostgresql(_Unconnected, pw.PostgresqlDatabase):
    pass
