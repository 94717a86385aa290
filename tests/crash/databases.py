"""The databases that crashes happen in: copies of a state, on either engine, each for one run."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from service.migrate.connection import connect
from service.url import DatabaseUrl
from tests.support.postgresql import GivenServer, create_database, drop_database


def empty(beside: DatabaseUrl, path: Path) -> DatabaseUrl:
    """A new database: the one of a test is kept open from outside, and PostgreSQL copies no such thing."""
    return beside._replace(name=str(path)) if beside.is_sqlite else create_database(_server(beside))


def copied(url: DatabaseUrl, path: Path) -> DatabaseUrl:
    """Another database that holds the same; an SQLite one at `path`."""
    if not url.is_sqlite:
        return create_database(_server(url), template=url.name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    if Path(url.name).exists():
        shutil.copy(url.name, path)
    return url._replace(name=str(path))


def drop(url: DatabaseUrl) -> None:
    if not url.is_sqlite:
        drop_database(_server(url), url)


def _server(url: DatabaseUrl) -> GivenServer:
    """The server without the session's own things, which other processes have no use for."""
    return GivenServer(url._replace(name="postgres"))


@contextmanager
def fleeting(start: DatabaseUrl, folder: Path) -> Iterator[DatabaseUrl]:
    url = copied(start, folder / f"{os.getpid()}.db")
    try:
        yield url
    finally:
        drop(url)
        for left in folder.glob(f"{os.getpid()}.db*") if url.is_sqlite else []:
            left.unlink()


def execute(url: DatabaseUrl, statements: Sequence[str]) -> None:
    database = connect(url)
    try:
        for statement in statements:
            database.execute(statement)
    finally:
        database.close()
