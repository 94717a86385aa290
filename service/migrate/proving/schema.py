"""A live schema as plain values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import nullcontext

from service.migrate.connection import Connection
from service.migrate.proving import postgresql, sqlite
from service.migrate.proving.snapshot import Snapshot
from service.migrate.tables import HISTORY, JOURNAL


def take(connection: Connection, others: Iterable[str] = (), called: Mapping[str, str] | None = None) -> Snapshot:
    """The schema that the connection sees, without the runner's own two tables, and those of `others` that are there.
    Where some stand for other ones, `called` says for which. Names are as they are written in SQL."""
    called = called or {}
    snapshot = sqlite.read(connection) if connection.is_sqlite else postgresql.read(connection, called)
    for own in (HISTORY, JOURNAL):
        snapshot.tables.pop(own, None)
    if others:
        with nullcontext() if connection.is_in_transaction else connection.transaction():
            snapshot.others = _each(connection, others, called)
    return snapshot


def _each(connection: Connection, names: Iterable[str], called: Mapping[str, str]) -> dict[str, Snapshot]:
    """Looked at from within, so that each reads as the current one does."""
    (path,) = connection.execute("SELECT current_setting('search_path')").fetchone()
    found = {}
    for name in names:
        if connection.execute("SELECT to_regnamespace(?)", [name]).fetchone()[0]:
            connection.execute(f"SET LOCAL search_path = {name}")
            found[called.get(name, name)] = postgresql.read(connection, called)
    connection.execute("SELECT set_config('search_path', ?, true)", [path])
    return found


def beside(snapshots: Iterable[Snapshot]) -> list[str]:
    """The schemas beside the current one that any of these has."""
    return sorted({name for snapshot in snapshots for name in snapshot.others})
