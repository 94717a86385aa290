"""What a killed CREATE INDEX CONCURRENTLY leaves behind, and how it is cleared before the step runs again.

PostgreSQL manual, "Building Indexes Concurrently": a failed build leaves an INVALID index, which IF NOT
EXISTS accepts."""

from __future__ import annotations

import re

from service.migrate.connection import Connection

_CONCURRENTLY = re.compile(
    r"CREATE\s+(?:UNIQUE\s+)?INDEX\s+CONCURRENTLY\s+(?:IF\s+NOT\s+EXISTS\s+)?(?P<name>\"[^\"]+\"|[\w.]+)\s+ON\b",
    re.IGNORECASE,
)


def index_of(sql: str) -> str:
    """The index that a CREATE INDEX CONCURRENTLY makes, as it is written there; empty for any other statement."""
    match = _CONCURRENTLY.match(sql.strip())
    return match["name"] if match else ""


def clear_half_made(connection: Connection, sql: str) -> bool:
    """Drop the index that the statement left invalid; True where a valid one is there, so that nothing is to do."""
    index = index_of(sql)
    if connection.is_sqlite or not index:
        return False
    row = connection.execute("SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(?)", [index]).fetchone()
    if row is not None and not row[0]:
        connection.execute(f"DROP INDEX CONCURRENTLY {index}")
    return bool(row and row[0])
