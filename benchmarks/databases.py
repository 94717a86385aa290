"""Databases to measure on: made, and put back to where they were, in no time that counts."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Protocol

from service.url import DatabaseUrl
from tests.support.postgresql import LASTING, Server, connect, running_server


class Databases(Protocol):
    """One engine's databases, by name."""

    is_sqlite: bool

    def create(self, name: str, template: str = "") -> None:
        """Make it, anew if it is there: empty, or a copy of another one."""

    def url(self, name: str) -> DatabaseUrl: ...


class SqliteDatabases:
    is_sqlite = True

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def create(self, name: str, template: str = "") -> None:
        path = self._path(name)
        for leftover in path.parent.glob(f"{path.name}*"):
            leftover.unlink()
        if template:
            shutil.copy(self._path(template), path)

    def url(self, name: str) -> DatabaseUrl:
        return DatabaseUrl("sqlite", str(self._path(name)))

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.db"


class PostgresqlDatabases:
    is_sqlite = False

    def __init__(self, server: Server) -> None:
        self._server = server

    def create(self, name: str, template: str = "") -> None:
        with closing(connect(self._server.url())) as connection:
            connection.autocommit = True  # neither statement runs in a transaction
            with connection.cursor() as cursor:
                cursor.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
                cursor.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template or "template0"}"')

    def url(self, name: str) -> DatabaseUrl:
        return self._server.url(name)


@contextmanager
def engines(folder: Path) -> Iterator[dict[str, Databases]]:
    """Both engines, PostgreSQL by a server of the benchmark's own, which waits for its disk as in production."""
    with contextmanager(running_server)(LASTING) as server:
        yield {"PostgreSQL": PostgresqlDatabases(server), "SQLite": SqliteDatabases(folder)}
