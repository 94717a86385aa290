"""The catalog of PostgreSQL, read for the tables of the current schema."""

from __future__ import annotations

from typing import Any

_COLUMNS = """
SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
       CASE WHEN a.attidentity <> '' OR starts_with(pg_get_expr(d.adbin, d.adrelid), 'nextval(') THEN 'the next number'
            ELSE coalesce(pg_get_expr(d.adbin, d.adrelid), '') END,
       a.attgenerated <> '' OR a.attidentity = 'a'
FROM pg_class c
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
WHERE c.relkind IN ('r', 'p') AND c.relnamespace = current_schema()::regnamespace
ORDER BY c.relname, a.attnum
"""
_NAMES = """
(SELECT array_agg(a.attname::text ORDER BY u.place) FROM unnest({numbers}) WITH ORDINALITY u (number, place)
 JOIN pg_attribute a ON a.attrelid = {table} AND a.attnum = u.number)
"""
_KEYS = f"""
SELECT c.relname, {_NAMES.format(numbers="k.conkey", table="k.conrelid")}
FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
WHERE k.contype = 'p' AND c.relnamespace = current_schema()::regnamespace
"""
_FOREIGN_KEYS = f"""
SELECT c.relname, {_NAMES.format(numbers="k.conkey", table="k.conrelid")},
       p.relname, {_NAMES.format(numbers="k.confkey", table="k.confrelid")}, k.confdeltype::text
FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_class p ON p.oid = k.confrelid
WHERE k.contype = 'f' AND c.relnamespace = current_schema()::regnamespace AND p.relnamespace = c.relnamespace
ORDER BY c.relname, k.conname
"""
_INDEXES = """
SELECT c.relname, x.relname, pg_get_indexdef(i.indexrelid)
FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN pg_class x ON x.oid = i.indexrelid
WHERE c.relnamespace = current_schema()::regnamespace
ORDER BY c.relname, x.relname
"""
# pg_constraint.confdeltype: PostgreSQL manual, chapter 53
_ACTIONS = {"a": "NO ACTION", "r": "RESTRICT", "c": "CASCADE", "n": "SET NULL", "d": "SET DEFAULT"}

_ESTIMATES = """
SELECT relname, reltuples::bigint FROM pg_class
WHERE relkind IN ('r', 'p') AND relnamespace = current_schema()::regnamespace
"""


def read(database: Any) -> tuple[Any, ...]:
    """Columns, primary keys, foreign keys and indexes."""
    return (
        database.execute_sql(_COLUMNS).fetchall(),
        {table: tuple(names) for table, names in database.execute_sql(_KEYS).fetchall()},
        [
            (table, tuple(names), parent, tuple(parent_names), _ACTIONS[action])
            for table, names, parent, parent_names, action in database.execute_sql(_FOREIGN_KEYS).fetchall()
        ],
        database.execute_sql(_INDEXES).fetchall(),
    )


def estimates(database: Any) -> dict[str, int]:
    """How many rows the last ANALYZE or VACUUM met; -1 where there was none yet."""
    return dict(database.execute_sql(_ESTIMATES).fetchall())
