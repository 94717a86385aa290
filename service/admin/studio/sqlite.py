"""The catalog of SQLite, read with its pragma functions."""

from __future__ import annotations

from typing import Any

# Shadow tables are where a virtual table keeps its content; they are its own affair.
_NAMES = """
SELECT t.name FROM pragma_table_list t
WHERE t.schema = 'main' AND t.type IN ('table', 'virtual') AND substr(t.name, 1, 7) <> 'sqlite_'
"""
# Hidden: 1 is of a virtual table, 2 and 3 are generated columns (sqlite.org/pragma.html, table_xinfo).
_COLUMNS = f"""
SELECT n.name, c.name, upper(c.type), c."notnull" OR c.pk > 0, coalesce(c.dflt_value, ''), c.hidden > 0, c.pk
FROM ({_NAMES}) n JOIN pragma_table_xinfo(n.name) c
WHERE c.hidden <> 1 ORDER BY n.name, c.cid
"""
_FOREIGN_KEYS = f"""
SELECT n.name, k.id, k."from", k."table", k."to", k.on_delete
FROM ({_NAMES}) n JOIN pragma_foreign_key_list(n.name) k ORDER BY n.name, k.id, k.seq
"""
_INDEXES = """
SELECT i.name, coalesce(m.sql, iif(i."unique", 'UNIQUE ', '') || (
    SELECT '(' || group_concat(c.name, ', ') || ')' FROM pragma_index_info(i.name) c
))
FROM pragma_index_list(?) i LEFT JOIN sqlite_master m ON m.name = i.name AND m.type = 'index'
ORDER BY i.name
"""


def read(database: Any) -> tuple[Any, ...]:
    """Columns, primary keys and foreign keys."""
    rows = database.execute_sql(_COLUMNS).fetchall()
    keys: dict[str, list[tuple[int, str]]] = {}
    for table, name, *_, place in rows:
        if place:
            keys.setdefault(table, []).append((place, name))
    ordered = {table: tuple(name for _, name in sorted(places)) for table, places in keys.items()}
    return [_column(row, ordered) for row in rows], ordered, _foreign_keys(database, ordered)


def indexes(database: Any, table: str) -> list[tuple[str, str]]:
    """Their names and definitions."""
    found: list[tuple[str, str]] = database.execute_sql(_INDEXES, (table,)).fetchall()
    return found


def _column(row: tuple[Any, ...], keys: dict[str, tuple[str, ...]]) -> tuple[Any, ...]:
    table, name, kind, is_required, default, is_computed, _place = row
    # Alone and an INTEGER, a key is the row's own number (sqlite.org/rowidtable.html).
    is_number = kind == "INTEGER" and keys.get(table) == (name,)
    return table, name, kind, bool(is_required), "the next number" if is_number else default, bool(is_computed)


def _foreign_keys(database: Any, keys: dict[str, tuple[str, ...]]) -> list[tuple[Any, ...]]:
    parts: dict[tuple[str, int], list[tuple[str, str, str | None, str]]] = {}
    for table, number, *rest in database.execute_sql(_FOREIGN_KEYS).fetchall():
        parts.setdefault((table, number), []).append(tuple(rest))
    found = []
    for (table, _number), links in parts.items():
        parent, on_delete = links[0][1], links[0][3]
        # Without names, the parent's primary key is meant.
        names = tuple(link[2] for link in links) if links[0][2] else keys.get(parent, ())
        found.append((table, tuple(link[0] for link in links), parent, names, on_delete))
    return found
