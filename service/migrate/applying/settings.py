"""What a migration sets for its session holds for that migration alone: neither the runner's own statements nor the
next migration go by its search_path, its role or its temporary tables. A dump of PostgreSQL empties the path first."""

from __future__ import annotations

import re
from collections.abc import Set
from typing import Any

from service.migrate.connection import Connection
from service.migrate.errors import Refused
from service.migrate.tables import HISTORY

# What psycopg2 has set on connecting is set again.
_ALL = "RESET SESSION AUTHORIZATION; RESET ROLE; RESET ALL; SET datestyle = ISO; DISCARD TEMP; DEALLOCATE ALL"
# A pooler's session is not ours: others may rely on what it was begun with.
_POOLED = "RESET ROLE; RESET search_path"
_WORDS = {"role", "search_path", "schema", "authorization"}
_PRAGMAS = ("ignore_check_constraints", "recursive_triggers", "writable_schema", "case_sensitive_like")
_TEMPORARY = "SELECT type, name FROM temp.sqlite_master WHERE type IN ('table', 'view', 'trigger') ORDER BY type DESC"
_MOVES = (
    r"(?i)(SET|RESET)\s+((SESSION|LOCAL)\s+)?(search_path|role|schema|(session\s+)?authorization|all)\b"
    r"|SELECT\s+(pg_catalog\.)?set_config\s*\(\s*'(search_path|role)'"
)

_TAKES_AWAY = re.compile(
    r"(ALTER\s+SCHEMA\s+(?=\S+\s+RENAME\b)|DROP\s+SCHEMA\s+(IF\s+EXISTS\s+)?)(?P<name>\"[^\"]+\"|\w+)", re.IGNORECASE
)
_HOLDS_OURS = f"SELECT 1 FROM pg_class WHERE relname = '{HISTORY}' AND relnamespace = to_regnamespace(?)"


def reset(connection: Connection, spoken_of: Set[str]) -> None:
    """Call in the migration's transaction, after its last statement. `spoken_of` are the words of its statements."""
    if connection.is_sqlite:
        _reset_sqlite(connection)
    elif not connection.is_pooled:
        connection.execute(_ALL)
    elif _WORDS & spoken_of:
        connection.execute(_POOLED)


def moves(sql: str) -> bool:
    """Whether a statement changes which schema or which role the next ones go by."""
    return bool(re.match(_MOVES, sql))


def refuse_to_move(sql: str) -> None:
    """A step is committed together with its entry in the journal, which has to be found. Raises Refused."""
    if moves(sql):
        raise Refused(
            "Each step is committed with the runner's own entry, for which the search_path and the role have to stay: "
            "name the schema in each statement, or have the whole migration in one transaction."
        )


def refuse_to_lose(connection: Connection, database: Any, sql: str, home: str = "") -> None:
    """Raise Refused for a statement that takes away the schema in which the runner keeps its own tables, or will keep
    them, which is its `home`."""
    match = None if connection.is_sqlite else _TAKES_AWAY.match(sql)
    if match and (match["name"] == home or connection.execute(_HOLDS_OURS, [match["name"]]).fetchone()):
        database.last_statement = sql
        raise Refused(
            f"The schema {match['name']} holds the runner's own tables, which it would not find any more. Rename it "
            "between two deploys, by hand, and have the role look there: `ALTER ROLE … SET search_path = …`."
        )


def _reset_sqlite(connection: Connection) -> None:
    for pragma in _PRAGMAS:
        connection.execute(f"PRAGMA {pragma} = OFF")
    for kind, name in connection.execute(_TEMPORARY).fetchall():
        connection.execute(f'DROP {kind} IF EXISTS temp."{name}"')
