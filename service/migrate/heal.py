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
# A deploy that only looks is over sooner.
_WORKING = 1.0
_SESSIONS = """
SELECT pid, application_name, extract(epoch FROM clock_timestamp() - xact_start) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name LIKE ?
"""

_INDEX = r"(?P<name>\"[^\"]+\"|[\w.]+)"
_BUILT = rf"(?i)CREATE\s+(?:UNIQUE\s+)?INDEX\s+CONCURRENTLY\s+(?:IF\s+NOT\s+EXISTS\s+)?{_INDEX}\s+ON\b"
_DROPPED = rf"(?i)DROP\s+INDEX\s+CONCURRENTLY\s+(?:IF\s+EXISTS\s+)?{_INDEX}"
_REINDEXED = r"(?is)REINDEX\b.*\bCONCURRENTLY\b"
# Statements that no transaction may hold; of any other one that refuses it, the database says so itself.
_ALONE = re.compile(
    r"(VACUUM|PRAGMA|ATTACH|DETACH)\b|(CREATE|DROP|REINDEX|ALTER)\b.*\bCONCURRENTLY\b", re.IGNORECASE | re.DOTALL
)
# What can be done again, however far it came.
_REPEATABLE = r"(?i)(VACUUM|ANALYZE|CLUSTER|REINDEX|CHECKPOINT|PRAGMA|SET)\b"
# active_sql_transaction, invalid_transaction_termination: PostgreSQL manual, appendix A.
_REFUSALS = {"25001", "2D000"}
_REFUSAL_OF_SQLITE = "(from within|inside) a transaction"
_LEFT_BY_REINDEX = """
SELECT quote_ident(c.relname) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
WHERE NOT i.indisvalid AND c.relname ~ '_cc(new|old)[0-9]*$'
  AND c.relnamespace = quote_ident(current_schema())::regnamespace
"""


def stands_alone(sql: str) -> bool:
    """Whether a statement is known to need to be outside a transaction."""
    return bool(_ALONE.match(sql))


def is_concurrent(sql: str) -> bool:
    return stands_alone(sql) and "CONCURRENTLY" in sql.upper()


def refuses_transaction(error: BaseException) -> bool:
    """Whether a statement failed for nothing but the transaction around it. Looks through Peewee's wrapping."""
    seen: BaseException | None = error
    while seen is not None:
        if getattr(seen, "pgcode", None) in _REFUSALS or re.search(_REFUSAL_OF_SQLITE, str(seen)):
            return True
        seen = seen.__cause__ or seen.__context__
    return False


def has_happened(connection: Connection, sql: str) -> bool | None:
    """Whether a statement that may have been cut off did its work; None where the schema does not tell."""
    if match := re.match(_BUILT, sql):
        return _is_valid(connection, match["name"]) is True
    if match := re.match(_DROPPED, sql):
        return _is_valid(connection, match["name"]) is None
    return False if re.match(_REPEATABLE, sql) else None


def clear_half_made(connection: Connection, sql: str) -> None:
    """Before a statement runs: drop what it, cut off, has left invalid. IF NOT EXISTS would be content with that."""
    if connection.is_sqlite:
        return
    if (match := re.match(_BUILT, sql)) and _is_valid(connection, match["name"]) is False:
        connection.execute(f"DROP INDEX CONCURRENTLY {match['name']}")
    if re.match(_REINDEXED, sql):
        for (index,) in connection.execute(_LEFT_BY_REINDEX).fetchall():
            connection.execute(f"DROP INDEX CONCURRENTLY {index}")


def _is_valid(connection: Connection, index: str) -> bool | None:
    """None where there is no such index. `index` is a name as it is written in SQL."""
    row = connection.execute("SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(?)", [index]).fetchone()
    return None if row is None else bool(row[0])


def end_leftovers(database: Connection) -> list[str]:
    """End the server sessions of deploys that were killed; returns what was ended, for the log. Call under the lock:
    then no other deploy has work in progress. One whose process lives on this host is left alone."""
    if database.is_sqlite:
        return []
    deadline = time.monotonic() + _PATIENCE
    ended: dict[int, str] = {}
    while time.monotonic() < deadline:
        sessions = database.execute(_SESSIONS, [f"{APPLICATION} %"]).fetchall()
        left = [session for session in sessions if _is_left(database, *session[1:])]
        for pid, name, seconds in left:
            if pid not in ended and (_is_dead(name) or seconds > _WORKING):
                database.execute("SELECT pg_terminate_backend(?)", [pid])
                ended[pid] = name if seconds is not None else ""
        if not left:
            break
        time.sleep(0.1)
    return [f"server process {pid} ({name})" for pid, name in ended.items() if name]


def _is_left(database: Connection, name: str, seconds: float | None) -> bool:
    """Whether a session is to be ended, or waited for. One without a transaction is, where its process is known to be
    dead: the last statement may still be on its way to it. Of a pooler's, others make use."""
    if seconds is None:
        return _is_dead(name) and not database.is_pooled
    return not _is_alive(name)


def end_sessions_of(database: Connection, host: str, process: int) -> None:
    """End what the deploy of this process is doing in the database, and wait until it has stopped."""
    sessions = (
        "FROM pg_stat_activity WHERE datname = current_database() AND application_name = left(?, 63)"
        " AND pid <> pg_backend_pid() AND state <> 'idle'"
    )
    name, deadline = [f"{APPLICATION} {host}/{process}"], time.monotonic() + _PATIENCE
    while database.execute(f"SELECT pg_terminate_backend(pid) {sessions}", name).rowcount:
        if time.monotonic() > deadline:
            return
        time.sleep(0.1)
        database.execute("SELECT pg_stat_clear_snapshot()")


def _is_alive(application: str) -> bool:
    process = _process(application)
    return process is not None and _exists(process)


def _is_dead(application: str) -> bool:
    process = _process(application)
    return process is not None and not _exists(process)


def _process(application: str) -> int | None:
    """The client's process, where this host can tell. A container that is started again gives out the same numbers, so
    that ours may have been that of a deploy that was killed."""
    host, _, process = application.removeprefix(f"{APPLICATION} ").rpartition("/")
    is_known = host == HOST and process.isdigit() and int(process) != os.getpid()
    return int(process) if is_known else None


def _exists(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
