"""A Peewee database on the runner's own connection, for migrations in Python."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import peewee as pw

from service.migrate.applying.recorded import EndsTransaction, Recorded, refuse_to_roll_back
from service.migrate.connection import Connection
from service.migrate.errors import Refused

_ROLLED_BACK = "SQLite has rolled the transaction back after an error that the migration caught."


class _Adopted(Recorded):
    """Whoever has the driver's connection or a cursor may do anything with it, but for rolling back."""

    before_statement: Callable[[], None] | None = None
    has_lost_transaction: Callable[[], bool]

    def connection(self) -> Any:
        self.may_lose()
        self.guard()
        return super().connection()  # type: ignore[misc]

    def rollback(self) -> None:
        """Where a full disk or a lost connection has ended the transaction, that is what a person has to read, not that
        there is none (SQLite manual, "Response To Errors Within A Transaction")."""
        if not self.has_lost_transaction():
            super().rollback()  # type: ignore[misc]

    def connection_state(self) -> Any:
        """The driver's connection, to look at and not to work with."""
        return self._state.conn  # type: ignore[attr-defined]

    def cursor(self, *arguments: Any) -> Any:
        self.guard()
        return self._cursor(*arguments)

    def guard(self) -> None:
        """Before the migration gets what is the driver's."""
        raise NotImplementedError

    def _cursor(self, *arguments: Any) -> Any:
        self.may_lose()
        if self.before_statement is not None:
            self.before_statement()
        return super().cursor(*arguments)  # type: ignore[misc]

    def sent(self, sql: str, params: Any) -> Any:
        with pw.__exception_wrapper__:  # type: ignore[attr-defined]  # the stub leaves it out
            cursor = self._cursor()
            # Peewee would hand the driver an empty tuple, which makes it look for % in the text.
            cursor.execute(sql, params) if params else cursor.execute(sql)
        return cursor


# The names are Peewee's own, since `migrate pull` prints them.
class SqliteDatabase(_Adopted, pw.SqliteDatabase):
    has_begun: Callable[[float], None]
    _is_guarded = False

    @contextmanager
    def held(self) -> Iterator[None]:
        try:
            with super().held():
                yield
        except Exception as error:
            if self._is_guarded and "not authorized" in str(error):
                raise Refused(_ROLLED_BACK) if self.has_lost_transaction() else EndsTransaction("ROLLBACK") from error
            raise
        finally:
            if self._is_guarded:
                self.connection_state().set_authorizer(None)
                self._is_guarded = False

    def guard(self) -> None:
        if self.is_held and not self._is_guarded:
            self.connection_state().set_authorizer(self._allows)
            self._is_guarded = True

    def _allows(self, action: int, what: str | None, *_: Any) -> int:
        """Asked by SQLite of each statement, which may come from any cursor (SQLite manual, "Compile-Time Authorization
        Callbacks")."""
        ends = what if action == sqlite3.SQLITE_TRANSACTION else ""
        if self.is_held and (ends == "ROLLBACK" or self.has_lost_transaction()):
            return sqlite3.SQLITE_DENY
        self.is_held = self.is_held and ends != "COMMIT"
        return sqlite3.SQLITE_OK

    def execute_sql(self, sql: str, params: Any = None) -> Any:
        """A migration that goes on after SQLite has ended the transaction would do the rest for good, one by one."""
        if self.transaction_depth() and self.has_lost_transaction():
            raise Refused(_ROLLED_BACK)
        return super().execute_sql(sql, params)

    def has_lost_transaction(self) -> bool:
        return not self.connection_state().in_transaction

    def begin(self, lock_type: str | None = None) -> None:
        began = time.monotonic()
        super().begin(lock_type)
        self.has_begun(time.monotonic() - began)


class PostgresqlDatabase(_Adopted, pw.PostgresqlDatabase):
    _opening: Callable[[], Any] | None = None
    _closing: Callable[[], Any] | None = None

    @contextmanager
    def framed(self, begin: Callable[[], Any], end: Callable[[], Any] | None) -> Iterator[Any]:
        """As atomic(), but its BEGIN is among what `begin` sends, and its COMMIT among what `end` does; gives what
        `begin` returns."""
        answers: list[Any] = []
        self._opening = lambda: answers.append(begin())
        try:
            with self.atomic():
                self._opening = None
                yield answers[0]
                self._closing = end
        finally:
            self._opening = self._closing = None

    @contextmanager
    def held(self) -> Iterator[None]:
        driver = self.connection_state()
        before = driver.cursor_factory
        try:
            with super().held():
                yield
        finally:
            driver.cursor_factory = before

    def guard(self) -> None:
        if self.is_held:
            from service.migrate.applying import guarded  # here: it brings in the driver

            self.connection_state().cursor_factory = partial(guarded.cursor, self)

    def sent(self, sql: str, params: Any) -> Any:
        refuse_to_roll_back(self, sql)
        return super().sent(sql, params)

    def begin(self, isolation_level: Any = None) -> None:
        if self._opening is None:
            super().begin(isolation_level)
        else:
            self._opening()

    def commit(self) -> None:
        if self._closing is None:
            super().commit()
        else:
            self._closing()

    def has_lost_transaction(self) -> bool:
        return bool(self.connection_state().closed)


def adopt(connection: Connection) -> Any:
    """A Peewee database that works on the runner's own connection and never opens another."""
    if connection.is_sqlite:
        database: Any = SqliteDatabase(connection.url.name)
        database.has_begun = connection.has_begun
    else:
        database = PostgresqlDatabase(connection.url.name)
    database.forget()
    database._connect = lambda: connection.raw
    database.connect()
    return database
