"""The catalog of PostgreSQL, read for the tables of the current schema."""

from __future__ import annotations

from typing import Any

_COLUMNS = """
SELECT c.relname, a.attnum, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
       CASE WHEN a.attidentity <> '' OR starts_with(pg_get_expr(d.adbin, d.adrelid), 'nextval(') THEN 'the next number'
            ELSE coalesce(pg_get_expr(d.adbin, d.adrelid), '') END,
       a.attgenerated <> '' OR a.attidentity = 'a'
FROM pg_class c
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
WHERE c.relkind IN ('r', 'p') AND c.relnamespace = quote_ident(current_schema())::regnamespace
ORDER BY c.relname, a.attnum
"""
_KEYS = """
SELECT c.relname, k.contype = 'p', k.conkey, p.relname, k.confkey, k.confdeltype::text
FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid LEFT JOIN pg_class p ON p.oid = k.confrelid
WHERE c.relnamespace = quote_ident(current_schema())::regnamespace
  AND (k.contype = 'p' OR k.contype = 'f' AND p.relnamespace = c.relnamespace)
ORDER BY c.relname, k.conname
"""
_INDEXES = """
SELECT x.relname, pg_get_indexdef(i.indexrelid)
FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN pg_class x ON x.oid = i.indexrelid
WHERE c.relnamespace = quote_ident(current_schema())::regnamespace AND c.relname = %s
ORDER BY x.relname
"""
# pg_constraint.confdeltype: PostgreSQL manual, chapter 53
_ACTIONS = {"a": "NO ACTION", "r": "RESTRICT", "c": "CASCADE", "n": "SET NULL", "d": "SET DEFAULT"}

_ESTIMATES = """
SELECT relname, reltuples::bigint FROM pg_class
WHERE relkind IN ('r', 'p') AND relnamespace = quote_ident(current_schema())::regnamespace
"""


def read(database: Any) -> tuple[Any, ...]:
    """Columns, primary keys and foreign keys. The server numbers the columns of a key; they are put into names here."""
    columns = database.execute_sql(_COLUMNS).fetchall()
    names = {(table, number): name for table, number, name, *_ in columns}
    keys: dict[str, tuple[str, ...]] = {}
    foreign_keys = []
    for table, is_primary, numbers, parent, parent_numbers, action in database.execute_sql(_KEYS).fetchall():
        own = tuple(names[table, number] for number in numbers)
        if is_primary:
            keys[table] = own
        else:
            meant = tuple(names[parent, number] for number in parent_numbers)
            foreign_keys.append((table, own, parent, meant, _ACTIONS[action]))
    return [(table, *rest) for table, _number, *rest in columns], keys, foreign_keys


def indexes(database: Any, table: str) -> list[tuple[str, str]]:
    """Their names and definitions."""
    found: list[tuple[str, str]] = database.execute_sql(_INDEXES, (table,)).fetchall()
    return found


def estimates(database: Any) -> dict[str, int]:
    """How many rows the last ANALYZE or VACUUM met; -1 where there was none yet."""
    return dict(database.execute_sql(_ESTIMATES).fetchall())
