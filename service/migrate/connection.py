"""One plain DB-API connection, the same to its users on both engines. Neither Peewee nor anything else is needed."""

from __future__ import annotations

import math
import os
import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

from service.migrate.errors import DatabaseUnreachable
from service.migrate.waits import Toll, Wait
from service.url import MEMORY, DatabaseUrl

APPLICATION = "slipway-migrate"
HOST = os.uname().nodename
Statement = tuple[str, Sequence[Any]]
COMMIT = "COMMIT"
# What waiting rarely mends on a server; a few attempts still cover one that is making its database right now.
_PERMANENT = (
    "(?i)authentication|does not exist|no pg_hba|permission denied|invalid|no password|not support SSL|certificate"
)
_PERMANENT_ATTEMPTS = 3
_PAUSE = 2.0


class Connection:
    """Autocommit, `?` for parameters, transactions only where they are written down. `waits` is for how long the
    database let wait for itself; `toll` takes up what is lost from then on, and belongs to the work at hand."""

    def __init__(self, raw: Any, url: DatabaseUrl, waits: tuple[Wait, ...] = ()) -> None:
        self.raw, self.url, self.waits, self.toll = raw, url, waits, Toll()

    @property
    def is_sqlite(self) -> bool:
        return self.url.is_sqlite

    @cached_property
    def is_pooled(self) -> bool:
        """Whether a pooler stands between: then the session that answers is not the one that was announced on
        connecting, and what is set for the session meets other people."""
        if self.is_sqlite:
            return False
        answering = self.execute("SELECT pg_backend_pid()").fetchone()[0]
        return bool(answering != self.raw.info.backend_pid)

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> Any:
        """Run one statement of ours and return the cursor."""
        cursor = self.raw.cursor()
        if parameters:
            cursor.execute(sql if self.is_sqlite else sql.replace("?", "%s"), tuple(parameters))
        else:
            cursor.execute(sql)
        return cursor

    def execute_all(self, *statements: Statement) -> Any:
        """Run several, on PostgreSQL in one round trip, and return the cursor of the last."""
        if self.is_sqlite:
            return [self.execute(sql, parameters) for sql, parameters in statements][-1]
        joined = "; ".join(sql for sql, _ in statements)
        return self.execute(joined, [value for _, parameters in statements for value in parameters])

    @contextmanager
    def transaction(
        self, begin: Callable[[], Any] | None = None, end: Callable[[], Any] | None = None
    ) -> Iterator[Any]:
        """`begin` sends BEGIN together with what else comes first, and the block gets what it returns; `end` sends
        COMMIT together with what else comes last."""
        began = time.monotonic()
        answer = begin() if begin else self.execute("BEGIN IMMEDIATE" if self.is_sqlite else "BEGIN")
        self.has_begun(time.monotonic() - began)
        try:
            yield answer
            # COMMIT fails on SQLite while somebody reads, and leaves the transaction open.
            end() if end else self.execute(COMMIT)
        except BaseException:
            self.roll_back()
            raise

    def roll_back(self) -> None:
        """Whatever is open. A full disk or a lost connection has ended it already, and is what a person has to read."""
        if self.raw.in_transaction if self.is_sqlite else not self.raw.closed and self.raw.info.transaction_status:
            self.execute("ROLLBACK")

    @property
    def is_in_transaction(self) -> bool:
        """A connection that is lost says so when it is used."""
        if self.is_sqlite:
            return bool(self.raw.in_transaction)
        return bool(self.raw.closed or self.raw.info.transaction_status)

    def has_begun(self, seconds: float) -> None:
        """SQLite waits for others when it begins to write, so that the time this takes is theirs."""
        if self.is_sqlite:
            self.toll.add(seconds, {})

    def close(self) -> None:
        self.raw.close()


def connect(
    url: DatabaseUrl,
    *,
    wait: float = 0.0,
    create: bool = True,
    on_attempt: Callable[[int, str], None] = lambda _attempt, _reason: None,
    application: str = APPLICATION,
) -> Connection:
    """Open a connection, trying for up to `wait` seconds; `on_attempt` hears of each failed attempt and why.
    With create=False a missing SQLite file is read as an empty database and not made.
    Raises DatabaseUnreachable, whose text names the database and never the password."""
    began, attempt, reason = time.monotonic(), 0, ""
    while True:
        attempt += 1
        try:
            raw = _open(url, create, application)
            waited = (Wait("database", round(time.monotonic() - began, 3), (reason,)),) if reason else ()
            return Connection(raw, url, waited)
        except Exception as error:
            reason = explain(error)
            if not is_driver_error(error):
                raise
        if time.monotonic() + _PAUSE > began + wait or attempt >= _attempts(url, reason):
            from service.migrate import advice  # here: who connects needs none

            raise DatabaseUnreachable(str(url), reason, attempt, advice.on_connecting(reason, url))
        on_attempt(attempt, reason)
        time.sleep(_PAUSE)


@contextmanager
def connected(database: Connection) -> Iterator[Connection]:
    """The same connection, or where it is lost another one for the time of the block."""
    if database.is_sqlite or not database.raw.closed:
        yield database
        return
    another = connect(database.url)
    try:
        yield another
    finally:
        another.close()


def role_in_force(url: DatabaseUrl) -> str:
    """Whose rights count: `ALTER ROLE … SET role` gives a user those of another from the start."""
    try:
        database = connect(url, create=False)
    except DatabaseUnreachable:
        return url.user
    with closing(database):
        return str(database.execute("SELECT current_user").fetchone()[0])


def _attempts(url: DatabaseUrl, reason: str) -> float:
    """How many are worth while: a file that is no database will be none in a minute either."""
    if url.is_sqlite:
        return math.inf if "locked" in reason else 1
    return _PERMANENT_ATTEMPTS if re.search(_PERMANENT, reason) else math.inf


def explain(error: BaseException) -> str:
    """A driver's message in one line: without the addresses it repeats, without what it quotes from the data."""
    said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    text = (lines or [type(error).__name__])[0]
    text = re.sub(r"^connection to server (at|on socket) .*? failed: ", "", text)
    return text.removeprefix("FATAL:").removeprefix("ERROR:").strip().rstrip(".")


def is_driver_error(error: BaseException) -> bool:
    """Whether the database or the way to it is the reason, rather than a bug of ours. Knows Peewee's wrappers too."""
    return isinstance(error, OSError) or type(error).__module__.startswith(("psycopg2", "sqlite3", "peewee"))


def _open(url: DatabaseUrl, create: bool, application: str) -> Any:
    return _open_sqlite(url.name, create) if url.is_sqlite else _open_postgresql(url, application)


def _open_sqlite(path: str, create: bool) -> Any:
    import sqlite3  # here, so that PostgreSQL users do not pay for it

    if path != MEMORY and create:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    name = MEMORY if not create and not Path(path).exists() else path
    raw = sqlite3.connect(name, timeout=10, isolation_level=None, check_same_thread=False)
    raw.execute("PRAGMA busy_timeout = 10000")
    raw.execute("PRAGMA foreign_keys = ON")
    # The first read: sqlite3.connect itself accepts any file.
    raw.execute("PRAGMA schema_version").fetchone()
    return raw


def _open_postgresql(url: DatabaseUrl, application: str) -> Any:
    from service.migrate import driver  # here, so that SQLite users do not pay for it

    driver.bring_in()
    import psycopg2

    defaults = {"connect_timeout": "5", "application_name": f"{application} {HOST}/{os.getpid()}"}
    parameters: dict[str, Any] = defaults | url.libpq()
    raw = psycopg2.connect(**parameters)
    raw.autocommit = True
    return raw
