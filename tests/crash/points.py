"""Crash points: every statement that a process sends, before, within and after it. Works in the drivers' own factories,
so that the code under test is the code that ships."""

from __future__ import annotations

import functools
import os
import signal
import sqlite3
import threading
import time
from dataclasses import dataclass, field
from typing import Any, Literal

import psycopg2
from psycopg2.extensions import cursor as PostgresqlCursor
from psycopg2.extensions import make_dsn

from service.url import DatabaseUrl

# "cut off": killed while the statement is on its way; a server goes on with it although nobody waits for its answer.
How = Literal["killed", "terminated", "cut off"]
_SENT, _GONE = 0.1, 0.2


@dataclass
class Points:
    """Statement n has point 2n - 1 before it and point 2n after it. `at` is where the process is to end, or its
    server session; 0 only counts. `passed` are the points so far, each with the number of its connection."""

    url: DatabaseUrl
    how: How = "killed"
    at: int = 0
    passed: list[tuple[int, str]] = field(default_factory=list)

    def install(self) -> None:
        """Make every connection that this process opens from now on pass its statements here."""
        _armed.append(self)
        drivers: Any = (sqlite3, psycopg2)
        drivers[0].connect = functools.partial(sqlite3.connect, factory=_SqliteConnection)
        drivers[1].connect = functools.partial(psycopg2.connect, cursor_factory=_PostgresqlCursor)

    def reach(self, when: str, statement: str, raw: Any) -> None:
        if threading.current_thread() is not threading.main_thread():
            return  # the one that watches for blockers comes and goes with the time
        self.passed.append((id(raw), f"{when} {' '.join(statement.split())}"))
        if len(self.passed) == self.at:
            self._strike(raw)

    def _strike(self, raw: Any) -> None:
        if self.how == "terminated":
            terminate(self.url, raw.info.backend_pid)
        elif self.how == "killed" or self.passed[-1][1].startswith("after"):
            os.kill(os.getpid(), signal.SIGKILL)
        elif self.url.is_sqlite:
            self.at += 1  # a short statement ends before it is looked at
            raw.set_progress_handler(lambda: os.kill(os.getpid(), signal.SIGKILL), 1)
        else:
            _cut_off(raw.info.backend_pid)


# Of this process: the drivers make their cursors without asking us for an argument.
_armed: list[Points] = []
_connect = psycopg2.connect


def _cut_off(server: int) -> None:
    """The server process sleeps while the statement is sent, its client dies, and wakes up a moment later."""
    client = os.getpid()
    os.kill(server, signal.SIGSTOP)
    if os.fork():
        return
    os.closerange(3, 1024)  # or the server would take this process for its client
    time.sleep(_SENT)
    os.kill(client, signal.SIGKILL)
    time.sleep(_GONE)
    os.kill(server, signal.SIGCONT)
    os._exit(0)


def terminate(url: DatabaseUrl, pid: int) -> None:
    """End a server session and wait until it is gone."""
    connection = _connect(make_dsn(**url.libpq()))
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s, 60000)", [pid])
    finally:
        connection.close()


def _around(statement: str, raw: Any, run: Any) -> Any:
    _armed[-1].reach("before", statement, raw)
    result = run()
    _armed[-1].reach("after", statement, raw)
    return result


class _SqliteCursor(sqlite3.Cursor):
    def execute(self, sql: str, *parameters: Any) -> Any:
        return _around(sql, self.connection, lambda: super(_SqliteCursor, self).execute(sql, *parameters))

    def executemany(self, sql: str, parameters: Any) -> Any:
        return _around(sql, self.connection, lambda: super(_SqliteCursor, self).executemany(sql, parameters))


class _SqliteConnection(sqlite3.Connection):
    def cursor(self, factory: Any = _SqliteCursor) -> Any:
        return super().cursor(factory)

    def execute(self, sql: str, *parameters: Any) -> Any:
        return self.cursor().execute(sql, *parameters)

    def commit(self) -> None:
        _around("COMMIT", self, super().commit)


class _PostgresqlCursor(PostgresqlCursor):
    def execute(self, query: Any, parameters: Any = None) -> Any:
        return _around(str(query), self.connection, lambda: super(_PostgresqlCursor, self).execute(query, parameters))
