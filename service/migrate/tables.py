"""The runner's own two tables: their names, their columns, and how they are made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set

from service.migrate.connection import Connection
from service.migrate.errors import Refused
from service.migrate.ledger import Command

HISTORY, JOURNAL = "migratehistory", "migratejournal"
OURS = {
    "checksum": "VARCHAR(64)",
    "duration_ms": "INTEGER",
    "release": "VARCHAR(120)",
    "origin": "VARCHAR(20)",
    "breaking": "INTEGER",
}
# The duration of a migration that is claimed and not done; one that is being undone in one transaction has less. Nobody
# sees either but where the migration itself has committed.
CLAIMED = -1
_NOWHERE = (
    "The search_path of this user names no schema that is there and open to it: `ALTER ROLE {} RESET search_path`, or "
    "`GRANT USAGE ON SCHEMA … TO …`."
)
# What each has had from the beginning.
_OLDEST = {
    HISTORY: ("id", "name", "migrated_at"),
    JOURNAL: (
        *("id", "action", "migration", "step", "steps", "state", "error"),
        *("started", "finished", "host", "pid", "release"),
    ),
}
# Readers queue behind whoever waits to change a table, the gate of another process among them.
_LOCK_TIMEOUT = "5s"
# What came later: tables without it are ours all the same, and the next command that writes adds it.
ADDED = {
    HISTORY: {"waited_ms": "INTEGER", "down_checksum": "VARCHAR(64)"},
    JOURNAL: {"checkpoint": "TEXT", "waits": "TEXT"},
}


def prepare(connection: Connection) -> None:
    """Make both tables, or give peewee-migrate's own our columns and a unique name. Call under the lock. Where all of
    it is there, PostgreSQL is asked nothing that could wait for a transaction of somebody else. (SQLite is, and that
    wait is told: the migrations write to the same file.)"""
    found = columns(connection)
    history, journal = OURS.keys() | ADDED[HISTORY].keys(), ADDED[JOURNAL].keys()
    is_complete = history <= found[HISTORY] and journal <= found[JOURNAL]
    is_unique = bool(found[HISTORY]) and _has_unique_names(connection)
    if not connection.is_sqlite and is_complete and is_unique:
        return
    if connection.is_sqlite:
        _log_ahead(connection)
    with connection.transaction():
        making = _making(found, is_sqlite=connection.is_sqlite, is_unique=is_unique)
        connection.execute_all(*((sql, ()) for sql in making))


def _log_ahead(connection: Connection) -> None:
    """A database that is made now gets the write-ahead log that the service gives it anyway: each commit waits for the
    disk once instead of four times, and whoever asks how far a deploy is need not wait for it. One that is there keeps
    what it has (SQLite manual, "Write-Ahead Logging")."""
    if not connection.execute("PRAGMA page_count").fetchone()[0]:
        connection.execute("PRAGMA journal_mode = WAL")


def _has_unique_names(connection: Connection) -> bool:
    if connection.is_sqlite:
        sql = f"SELECT count(*) FROM pragma_index_list('{HISTORY}') WHERE name = ? AND \"unique\""
    else:
        sql = "SELECT count(*) FROM pg_index WHERE indexrelid = to_regclass(?) AND indisunique AND indisvalid"
    return bool(connection.execute(sql, [f"{HISTORY}_name"]).fetchone()[0])


def _making(found: Mapping[str, Set[str]], *, is_sqlite: bool, is_unique: bool) -> Iterator[str]:
    key = "INTEGER PRIMARY KEY" if is_sqlite else "SERIAL PRIMARY KEY"
    wanted = OURS | ADDED[HISTORY]
    ours = ", ".join(f"{name} {kind}" for name, kind in wanted.items())
    if not is_sqlite:
        yield f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT}'"
    if not found[HISTORY]:
        yield f"CREATE TABLE {HISTORY} (id {key}, name VARCHAR(255) NOT NULL, migrated_at TIMESTAMP NOT NULL, {ours})"
    yield from _adding(HISTORY, wanted, found[HISTORY])
    if found[HISTORY] and not is_unique:
        yield f"DELETE FROM {HISTORY} WHERE id NOT IN (SELECT min(id) FROM {HISTORY} GROUP BY name)"
    if not is_unique:
        yield f"CREATE UNIQUE INDEX IF NOT EXISTS {HISTORY}_name ON {HISTORY} (name)"
    yield (
        f"CREATE TABLE IF NOT EXISTS {JOURNAL} (id {key}, action VARCHAR(20) NOT NULL,"
        " migration VARCHAR(255) NOT NULL, step INTEGER NOT NULL, steps INTEGER NOT NULL,"
        " state VARCHAR(10) NOT NULL, error TEXT, started TIMESTAMP NOT NULL, finished TIMESTAMP,"
        " host VARCHAR(255) NOT NULL, pid INTEGER NOT NULL, release VARCHAR(120), checkpoint TEXT, waits TEXT)"
    )
    yield from _adding(JOURNAL, ADDED[JOURNAL], found[JOURNAL])


def _adding(table: str, wanted: Mapping[str, str], found: Set[str]) -> Iterator[str]:
    """The columns that a table lacks; one that is not there was made with all of them."""
    return (f"ALTER TABLE {table} ADD COLUMN {name} {wanted[name]}" for name in wanted if found and name not in found)


def refuse_foreign(found: Mapping[str, Set[str]]) -> None:
    """Raise Refused where a table of ours lacks what it has always had: there it is somebody else's, or was changed."""
    for table, names in _OLDEST.items():
        lost = [name for name in names if found[table] and name not in found[table]]
        if lost:
            raise Refused(
                f"The table {table} has no column {lost[0]}: it is another tool's, or the column has a new name. Give"
                f" it that again with `ALTER TABLE {table} RENAME COLUMN … TO {lost[0]}`, or name another database."
            )


def stopped_in(duration_ms: object) -> Command | None:
    """In what a migration was stopped after it had ended its own transaction, if it was."""
    if not isinstance(duration_ms, int) or duration_ms > CLAIMED:
        return None
    return "deploy" if duration_ms == CLAIMED else "rollback"


def columns(connection: Connection) -> dict[str, set[str]]:
    """Column names of our two tables; an empty set where the table is not there. Raises Refused where nothing could be
    found, or made, since there is no place to look."""
    if connection.is_sqlite:
        sql = "SELECT m.name, c.name FROM sqlite_master m JOIN pragma_table_info(m.name) c WHERE m.name IN (?, ?)"
    else:
        sql = (
            "SELECT c.relname, a.attname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid"
            " WHERE a.attrelid IN (to_regclass(?), to_regclass(?)) AND a.attnum > 0 AND NOT a.attisdropped"
            " UNION ALL SELECT '', current_schema()"
        )
    found: dict[str, set[str]] = {HISTORY: set(), JOURNAL: set()}
    for table, column in connection.execute(sql, [HISTORY, JOURNAL]).fetchall():
        if table:
            found[table].add(column)
        elif column is None:
            raise Refused(_NOWHERE.format(connection.url.user))
    return found
