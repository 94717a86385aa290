"""A live schema as plain values."""

from __future__ import annotations

from service.migrate.connection import Connection
from service.migrate.proving import postgresql, sqlite
from service.migrate.proving.snapshot import Snapshot
from service.migrate.tables import HISTORY, JOURNAL


def take(connection: Connection, stands_for: str = "") -> Snapshot:
    """The schema that the connection sees, without the runner's own two tables; `stands_for` is what a scratch schema
    is called elsewhere."""
    snapshot = sqlite.read(connection) if connection.is_sqlite else postgresql.read(connection, stands_for)
    for own in (HISTORY, JOURNAL):
        snapshot.tables.pop(own, None)
    return snapshot
