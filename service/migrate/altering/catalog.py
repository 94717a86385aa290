"""Questions to the database's catalog: how it calls what the models know by its columns alone."""

from __future__ import annotations

PLAIN_INDEXES_ON_SQLITE = """
SELECT l.name, group_concat(i.name, ',') FROM pragma_index_list(?) l JOIN pragma_index_info(l.name) i
WHERE l.origin = 'c' AND NOT l.partial GROUP BY l.name
"""
PLAIN_INDEXES_ON_POSTGRESQL = """
SELECT k.relname, (SELECT string_agg(a.attname, ',' ORDER BY u.position)
    FROM unnest(i.indkey) WITH ORDINALITY AS u(number, position)
    JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = u.number)
FROM pg_index i JOIN pg_class k ON k.oid = i.indexrelid JOIN pg_class t ON t.oid = i.indrelid
WHERE t.relname = %s AND t.relnamespace = quote_ident(current_schema())::regnamespace
  AND i.indpred IS NULL AND i.indexprs IS NULL AND NOT i.indisprimary
"""
FOREIGN_KEYS = """
SELECT k.conname FROM pg_constraint k JOIN pg_class t ON t.oid = k.conrelid
JOIN pg_attribute a ON a.attrelid = t.oid AND k.conkey = ARRAY[a.attnum]
WHERE k.contype = 'f' AND t.relname = %s AND a.attname = %s
  AND t.relnamespace = quote_ident(current_schema())::regnamespace
"""
PRIMARY_KEY = """
SELECT k.conname FROM pg_constraint k JOIN pg_class t ON t.oid = k.conrelid
WHERE k.contype = 'p' AND t.relname = %s AND t.relnamespace = quote_ident(current_schema())::regnamespace
"""
# The server writes an expression in its own way, so that it is asked how it would write this one.
ASK_NAME = """
SELECT k.conname FROM pg_constraint k JOIN pg_constraint asked ON asked.conrelid = '_slipway_asked'::regclass
JOIN pg_class t ON t.oid = k.conrelid AND t.relname = %s
  AND t.relnamespace = quote_ident(current_schema())::regnamespace
WHERE pg_get_constraintdef(k.oid) = pg_get_constraintdef(asked.oid)
  AND k.contype = asked.contype AND asked.contype <> 'n'
"""
