"""How large the live tables are, as the catalog has it: nothing is counted, and no table is waited for."""

from __future__ import annotations

from service.migrate.connection import Connection
from service.migrate.rehearsing.touch import Size

# Of a table that was never analyzed the catalog has -1 rows; the statistics know what came in since they began.
_ON_POSTGRESQL = """
SELECT c.relname, coalesce(nullif(pg_stat_get_live_tuples(c.oid), 0), nullif(c.reltuples, -1)::bigint),
    nullif((c.relpages + coalesce(t.relpages, 0))::bigint * current_setting('block_size')::bigint, 0)
FROM pg_class c LEFT JOIN pg_class t ON t.oid = c.reltoastrelid
WHERE c.relkind IN ('r', 'p') AND c.relnamespace = quote_ident(current_schema())::regnamespace
"""
_ON_SQLITE = """
SELECT name, wr FROM pragma_table_list
WHERE schema = 'main' AND type = 'table' AND name NOT LIKE 'sqlite_%'
"""


def read(connection: Connection) -> dict[str, Size]:
    """Of each table that is there."""
    if not connection.is_sqlite:
        return {name: Size(rows, size) for name, rows, size in connection.execute(_ON_POSTGRESQL).fetchall()}
    found = connection.execute(_ON_SQLITE).fetchall()
    return {name: Size(None if has_no_rowid else _last_row(connection, name)) for name, has_no_rowid in found}


def _last_row(connection: Connection, table: str) -> int:
    """The number of the newest row, which is found at once: as many there are, or a few more."""
    quoted = table.replace('"', '""')
    return connection.execute(f'SELECT max(rowid) FROM "{quoted}"').fetchone()[0] or 0
