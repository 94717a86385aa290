"""Nothing undeclared changes: what a database has before a migration and after it, and what was lost without a word.

A migration speaks of a table, index, trigger or view by naming it in a statement, or in `touches` at the top of its
file. What it does not speak of keeps its rows and is still there afterwards.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Set
from typing import NamedTuple

from service.migrate.connection import Connection
from service.migrate.proving.owned import FIRST_OF_USERS, SHADOWS_ON_SQLITE, owned
from service.migrate.tables import HISTORY, JOURNAL


class Thing(NamedTuple):
    """An index, trigger, check, foreign key, view, function or type; it stands on `columns`, and refers to `parent`."""

    kind: str
    name: str
    table: str = ""
    columns: frozenset[str] = frozenset()
    parent: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.name}" + (f" of {self.table}" if self.table else "")


class Inventory(NamedTuple):
    """Table -> its columns; rows: table -> a count, on SQLite of what is there, on PostgreSQL (negative) of what this
    transaction has deleted, which costs nothing however large the table; `files` changes when a table is truncated.
    `parts` are tables and indexes that a statement reaches by naming another: all that they are a part of."""

    tables: dict[str, frozenset[str]]
    things: frozenset[Thing]
    rows: dict[str, int]
    files: Mapping[str, int] = {}
    parts: Mapping[str, Set[str]] = {}


def losses(before: Inventory, after: Inventory, spoken_of: Set[str], rebuilt: Set[str] = frozenset()) -> list[str]:
    """What is gone without having been spoken of, a phrase each. `spoken_of` holds words in lower case; `rebuilt` are
    tables that an operation of ours made anew, where a nameless constraint goes only when it was asked to."""
    spoken_of = spoken_of | {part.lower() for part, wholes in before.parts.items() if wholes & spoken_of}
    lost = [f"table {table}" for table in before.tables if table not in after.tables and table.lower() not in spoken_of]
    for table in after.rows.keys() - after.tables.keys():  # of other schemas, only what was deleted just now
        if not _words(table) & spoken_of:
            lost.append(_rows(before.rows.get(table, 0) - after.rows[table], table))
    for table in before.tables.keys() & after.tables.keys():
        lost += [
            f"column {column} of {table}"
            for column in before.tables[table] - after.tables[table]
            if not {column.lower(), table.lower()} & spoken_of
        ]
        count = before.rows.get(table, 0) - after.rows.get(table, 0)
        if count > 0 and table.lower() not in spoken_of:
            lost.append(_rows(count, table))
        elif before.files.get(table) != after.files.get(table) and table.lower() not in spoken_of:
            lost.append(f"the rows of {table}, which was truncated or rewritten")
    kept = {(thing.kind, thing.name) for thing in after.things}
    gone = (thing for thing in before.things if (thing.kind, thing.name) not in kept)
    lost += [str(thing) for thing in gone if not _goes_along(thing, after, spoken_of, rebuilt)]
    return sorted(lost)


def _rows(count: int, table: str) -> str:
    return f"{count} {'row' if count == 1 else 'rows'} of {table}"


def _words(name: str) -> set[str]:
    """What a statement may call it: a function with its arguments or without, anything with its schema or without."""
    plain = name.lower().partition("(")[0]
    return {name.lower(), plain, plain.rpartition(".")[2]}


def _goes_along(thing: Thing, after: Inventory, spoken_of: Set[str], rebuilt: Set[str]) -> bool:
    """Whether a thing was named, or stood on something that was."""
    if _words(thing.name) & spoken_of:
        return True
    if thing.table in rebuilt and thing.kind in ("foreign key", "check"):
        return True
    for table in filter(None, (thing.table, thing.parent)):
        if table not in after.tables and table.lower() in spoken_of:
            return True
    columns = after.tables.get(thing.table, frozenset())
    return bool(thing.columns - columns) and all(column.lower() in spoken_of for column in thing.columns - columns)


def take(connection: Connection) -> Inventory:
    """What the database has now. Call inside the migration's transaction."""
    return _sqlite(connection) if connection.is_sqlite else _postgresql(connection)


# Numbers of columns, not their names: looking up each name for itself took most of the time.
_PG_HERE = "(SELECT oid FROM pg_namespace WHERE nspname = current_schema())"
_PG_TABLES = f"""
SELECT c.relname::text, c.relfilenode::bigint, pg_stat_get_xact_tuples_deleted(c.oid),
       array_agg(a.attnum), array_agg(a.attname::text)
FROM pg_class c LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE c.relkind IN ('r', 'p') AND c.relnamespace = {_PG_HERE}
GROUP BY c.oid, c.relname, c.relfilenode
"""
_PG_THINGS = f"""
SELECT 'index', i.relname::text, c.relname::text, x.indkey::int2[], ''
FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_class c ON c.oid = x.indrelid
WHERE c.relnamespace = {_PG_HERE}
UNION ALL
SELECT CASE k.contype WHEN 'f' THEN 'foreign key' ELSE 'check' END, k.conname::text,
       CASE c.relnamespace WHEN {_PG_HERE} THEN c.relname::text ELSE c.oid::regclass::text END, k.conkey,
       coalesce(p.relname::text, '')
FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid LEFT JOIN pg_class p ON p.oid = k.confrelid
WHERE k.contype IN ('f', 'c') AND {_PG_HERE} IN (c.relnamespace, p.relnamespace)
UNION ALL
SELECT DISTINCT 'view', v.oid::regclass::text, '', ARRAY[]::int2[], '' FROM pg_depend d
JOIN pg_rewrite r ON r.oid = d.objid JOIN pg_class v ON v.oid = r.ev_class JOIN pg_class t ON t.oid = d.refobjid
WHERE d.classid = 'pg_rewrite'::regclass AND d.objid >= {FIRST_OF_USERS} AND d.refclassid = 'pg_class'::regclass
  AND t.relnamespace = {_PG_HERE} AND v.relnamespace <> {_PG_HERE}
UNION ALL
SELECT 'trigger', t.tgname::text, c.relname::text, ARRAY[]::int2[], ''
FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
WHERE NOT t.tgisinternal AND c.relnamespace = {_PG_HERE}
UNION ALL
SELECT 'policy', p.polname::text, c.relname::text, ARRAY[]::int2[], ''
FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid WHERE c.relnamespace = {_PG_HERE}
UNION ALL
SELECT 'rule', r.rulename::text, c.relname::text, ARRAY[]::int2[], ''
FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class
WHERE r.rulename <> '_RETURN' AND c.relnamespace = {_PG_HERE}
UNION ALL
SELECT CASE relkind WHEN 'S' THEN 'sequence' ELSE 'view' END, relname::text, '', ARRAY[]::int2[], '' FROM pg_class c
WHERE relkind IN ('v', 'm', 'S') AND relnamespace = {_PG_HERE} AND NOT {owned("pg_class", "c")}
UNION ALL
SELECT CASE p.prokind WHEN 'a' THEN 'aggregate' WHEN 'p' THEN 'procedure' ELSE 'function' END,
    p.proname || '(' || oidvectortypes(p.proargtypes) || ')', '', ARRAY[]::int2[], ''
FROM pg_proc p
WHERE p.oid >= {FIRST_OF_USERS} AND p.pronamespace = {_PG_HERE} AND NOT {owned("pg_proc", "p")}
UNION ALL
SELECT CASE t.typtype WHEN 'd' THEN 'domain' ELSE 'type' END, t.typname::text, '', ARRAY[]::int2[], ''
FROM pg_type t LEFT JOIN pg_class c ON c.oid = t.typrelid
WHERE t.oid >= {FIRST_OF_USERS} AND t.typnamespace = {_PG_HERE} AND NOT {owned("pg_type", "t")}
    AND (t.typtype IN ('e', 'd', 'r') OR c.relkind = 'c')
"""
# A partition and what inherits, whatever the number of generations between; and the indexes on them.
_PG_PARTS = f"""
WITH RECURSIVE parts (part, whole) AS (
    SELECT inhrelid, inhparent FROM pg_inherits
    UNION SELECT p.part, i.inhparent FROM parts p JOIN pg_inherits i ON i.inhrelid = p.whole
)
SELECT c.relname::text, array_agg(lower(w.relname))
FROM parts p JOIN pg_class c ON c.oid = p.part JOIN pg_class w ON w.oid = p.whole
WHERE c.relnamespace = {_PG_HERE} GROUP BY c.relname
"""
# Others may work there meanwhile, so that nothing counts but what this transaction itself has deleted.
_PG_ELSEWHERE = f"""
SELECT oid::regclass::text, pg_stat_get_xact_tuples_deleted(oid) FROM pg_class
WHERE oid >= {FIRST_OF_USERS} AND relkind = 'r' AND relpersistence <> 't' AND relnamespace <> {_PG_HERE}
  AND pg_stat_get_xact_tuples_deleted(oid) > 0
"""


def _postgresql(connection: Connection) -> Inventory:
    tables = [row for row in connection.execute(_PG_TABLES).fetchall() if row[0] not in (HISTORY, JOURNAL)]
    elsewhere = {name: -deleted for name, deleted in connection.execute(_PG_ELSEWHERE).fetchall()}
    columns = {name: dict(zip(numbers, names, strict=True)) for name, _, _, numbers, names in tables}
    things = {
        Thing(kind, name, table, frozenset(_named(columns.get(table, {}), numbers or ())), parent)
        for kind, name, table, numbers, parent in connection.execute(_PG_THINGS).fetchall()
    }
    return Inventory(
        {name: frozenset(filter(None, names)) for name, _, _, _, names in tables},
        frozenset(things),
        elsewhere | {name: -deleted for name, _, deleted, _, _ in tables},
        {name: file for name, file, _, _, _ in tables},
        {part: set(wholes) for part, wholes in connection.execute(_PG_PARTS).fetchall()},
    )


def _named(columns: dict[int, str], numbers: Iterable[int]) -> Iterator[str]:
    """The names of these columns; an expression of an index has no number of its own."""
    return (columns[number] for number in numbers if number in columns)


_SQLITE_COLUMNS = f"""
SELECT m.name, c.name FROM sqlite_master m JOIN pragma_table_info(m.name) c
WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%' AND m.name NOT IN (?, ?) AND m.name NOT IN ({SHADOWS_ON_SQLITE})
"""
_SQLITE_THINGS = """
SELECT m.type, m.name, CASE m.type WHEN 'view' THEN '' ELSE m.tbl_name END, i.name
FROM sqlite_master m LEFT JOIN pragma_index_info(m.name) i
WHERE m.type IN ('index', 'trigger', 'view') AND m.name NOT LIKE 'sqlite_%'
"""
# What a virtual table holds is made from other tables, and goes with their rows.
_SQLITE_VIRTUAL = "SELECT name FROM pragma_table_list WHERE type = 'virtual'"
_SQLITE_KEYS = """
SELECT m.name, k."from", k."table" FROM sqlite_master m JOIN pragma_foreign_key_list(m.name) k WHERE m.type = 'table'
"""


def _sqlite(connection: Connection) -> Inventory:
    tables: dict[str, set[str]] = {}
    for table, column in connection.execute(_SQLITE_COLUMNS, [HISTORY, JOURNAL]).fetchall():
        tables.setdefault(table, set()).add(column)
    columns_of: dict[tuple[str, str, str], set[str]] = {}
    for kind, name, table, column in connection.execute(_SQLITE_THINGS).fetchall():
        columns_of.setdefault((kind, name, table), set()).update({column} - {None})
    things = {Thing(*key, columns=frozenset(columns)) for key, columns in columns_of.items()}
    for table, column, parent in connection.execute(_SQLITE_KEYS).fetchall():
        things.add(Thing("foreign key", f"({column}) to {parent}", table, frozenset({column}), parent))
    virtual = {name for (name,) in connection.execute(_SQLITE_VIRTUAL).fetchall()}
    counts = {
        table: int(connection.execute(f'SELECT count(*) FROM "{table}"').fetchone()[0])
        for table in tables.keys() - virtual
    }
    return Inventory({name: frozenset(columns) for name, columns in tables.items()}, frozenset(things), counts)
