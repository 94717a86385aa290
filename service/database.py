"""From a URL to a Peewee database, and the proxy through which every model reaches the one of its process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import peewee as pw

from service.url import MEMORY, DatabaseUrl

proxy = pw.DatabaseProxy()

# WAL lets the panel read while the worker writes; a busy timeout turns a short collision into a short wait.
SQLITE_PRAGMAS = {"foreign_keys": 1, "journal_mode": "wal", "synchronous": "normal", "busy_timeout": 10_000}


def open_database(url: DatabaseUrl, *, application: str = "slipway") -> pw.Database:
    """A Peewee database for the URL, not yet connected. Makes the folder of an SQLite file."""
    if url.is_sqlite:
        if url.name != MEMORY:
            Path(url.name).parent.mkdir(parents=True, exist_ok=True)
        return pw.SqliteDatabase(url.name, pragmas=SQLITE_PRAGMAS, timeout=10)
    parameters = {"application_name": application, "connect_timeout": "5"} | url.libpq()
    name = parameters.pop("dbname")
    return pw.PostgresqlDatabase(name, **parameters)  # type: ignore[arg-type]  # the stub knows no libpq words


def bind(url: DatabaseUrl, *, application: str = "slipway") -> pw.Database:
    """Point the models of this process at the URL's database."""
    database = open_database(url, application=application)
    proxy.initialize(database)
    return database


@contextmanager
def connection() -> Iterator[pw.Database]:
    """One unit of work on its own connection: a connection that died is never used twice."""
    with proxy.obj.connection_context():
        yield proxy.obj


def writing(database: pw.Database) -> AbstractContextManager[object]:
    """A transaction that writes. SQLite takes the write lock at BEGIN: a reader that turns writer half-way is refused
    at once, whatever the busy timeout (sqlite.org/isolation.html, BEGIN IMMEDIATE)."""
    return database.atomic("IMMEDIATE") if is_sqlite(database) else database.atomic()


def is_sqlite(database: pw.Database) -> bool:
    return isinstance(database, pw.SqliteDatabase)
