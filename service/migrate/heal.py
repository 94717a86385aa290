"""What a killed deploy leaves behind, and how it is cleared before anything else is done.

A server session goes on with its statement after its client was killed, and keeps its locks. A killed CREATE INDEX
CONCURRENTLY leaves an INVALID index, which IF NOT EXISTS accepts (PostgreSQL manual, "Building Indexes Concurrently").
"""

from __future__ import annotations

import os
import re
import time

from service.migrate import connection
from service.migrate.connection import HOST, Connection

# The session of a deploy, as against those that only read; the client's host and process id follow it.
APPLICATION = f"{connection.APPLICATION}-deploy"
_PATIENCE = 10.0
_LEFTOVERS = """
SELECT pid, application_name FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name LIKE ? AND state <> 'idle'
  AND xact_start < now() - interval '1 second'
"""

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


def end_leftovers(database: Connection) -> list[str]:
    """End the server sessions of deploys that were killed; returns what was ended, for the log. Call under the lock:
    then no other deploy has work in progress. One whose process lives on this host is left alone."""
    if database.is_sqlite:
        return []
    rows = database.execute(_LEFTOVERS, [f"{APPLICATION} %"]).fetchall()
    ended = [(pid, name) for pid, name in rows if not _is_alive(name)]
    for pid, _ in ended:
        database.execute("SELECT pg_terminate_backend(?)", [pid])
    deadline = time.monotonic() + _PATIENCE
    gone = "SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = ANY(?)"
    while not database.execute(gone, [[pid for pid, _ in ended]]).fetchone()[0] and time.monotonic() < deadline:
        time.sleep(0.1)
    return [f"server process {pid} ({name})" for pid, name in ended]


def _is_alive(application: str) -> bool:
    host, _, process = application.removeprefix(f"{APPLICATION} ").rpartition("/")
    if host != HOST or not process.isdigit():
        return False
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
