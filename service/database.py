"""From a URL to a Peewee database, and the proxy through which every model reaches the one of its process."""

from __future__ import annotations

import select
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import peewee as pw
from playhouse.pool import PooledPostgresqlDatabase

from service.url import MEMORY, DatabaseUrl

proxy = pw.DatabaseProxy()

# WAL lets the panel read while the worker writes; a busy timeout turns a short collision into a short wait.
SQLITE_PRAGMAS = {"foreign_keys": 1, "journal_mode": "wal", "synchronous": "normal", "busy_timeout": 10_000}

# A server that vanished without a word is noticed after about a minute, not when the kernel gives up hours later.
PATIENCE = {
    "connect_timeout": "5",
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "tcp_user_timeout": "60000",
}

# Seconds after which a connection is replaced, so that none outlives what a proxy or a failover forgot about.
LIFETIME = 300


class Pool(PooledPostgresqlDatabase):
    """Keeps connections for the next unit of work: to make one takes longer than most of what is asked over it."""

    def _is_closed(self, conn: Any) -> bool:
        """A server that has something to say to an idle connection says that it has ended it."""
        news = select.poll()
        news.register(conn, select.POLLIN)
        return bool(conn.closed or news.poll(0))


def open_database(url: DatabaseUrl, *, application: str = "slipway") -> pw.Database:
    """A Peewee database for the URL, not yet connected. Makes the folder of an SQLite file."""
    if url.is_sqlite:
        if url.name != MEMORY:
            Path(url.name).parent.mkdir(parents=True, exist_ok=True)
        return pw.SqliteDatabase(url.name, pragmas=SQLITE_PRAGMAS, timeout=10)
    parameters = {"application_name": application} | PATIENCE | url.libpq()
    name = parameters.pop("dbname")
    return Pool(name, max_connections=0, stale_timeout=LIFETIME, **parameters)  # type: ignore[no-untyped-call]  # no types


def bind(url: DatabaseUrl, *, application: str = "slipway") -> pw.Database:
    """Point the models of this process at the URL's database."""
    if isinstance(proxy.obj, Pool):
        proxy.obj.close_idle()
    database = open_database(url, application=application)
    proxy.initialize(database)
    return database


@contextmanager
def connection() -> Iterator[pw.Database]:
    """One unit of work on one connection, which nobody else uses meanwhile; never on one that is known to be dead."""
    with proxy.obj.connection_context():
        yield proxy.obj


def writing(database: pw.Database) -> AbstractContextManager[object]:
    """A transaction that writes. SQLite takes the write lock at BEGIN: a reader that turns writer half-way is refused
    at once, whatever the busy timeout (sqlite.org/isolation.html, BEGIN IMMEDIATE)."""
    return database.atomic("IMMEDIATE") if is_sqlite(database) else database.atomic()


def is_sqlite(database: pw.Database) -> bool:
    return isinstance(database, pw.SqliteDatabase)
