"""A live schema as plain values, normalised so that two databases of one engine can be compared, whatever the names of
their constraints and indexes and the order of their columns."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from service.migrate.altering import ddl
from service.migrate.connection import Connection
from service.migrate.tables import HISTORY, JOURNAL


@dataclass
class TableSchema:
    """Column name -> its type, NOT NULL and DEFAULT; the rest as text without names, each kind a set."""

    columns: dict[str, str] = field(default_factory=dict)
    primary_key: str = ""
    foreign_keys: set[str] = field(default_factory=set)
    indexes: set[str] = field(default_factory=set)
    checks: set[str] = field(default_factory=set)
    triggers: set[str] = field(default_factory=set)
    options: str = ""


@dataclass
class Snapshot:
    tables: dict[str, TableSchema] = field(default_factory=dict)
    views: dict[str, str] = field(default_factory=dict)


def take(connection: Connection) -> Snapshot:
    """The schema that the connection sees, without the runner's own two tables."""
    snapshot = _sqlite(connection) if connection.is_sqlite else _postgresql(connection)
    for own in (HISTORY, JOURNAL):
        snapshot.tables.pop(own, None)
    return snapshot


def facts(snapshot: Snapshot) -> frozenset[str]:
    """Everything that a schema has, each thing a line: `table users`, `users: column email VARCHAR(254) NOT NULL`."""
    lines = [f"view {name} {text}" for name, text in snapshot.views.items()]
    for name, table in snapshot.tables.items():
        lines += [f"table {name}", *(f"{name}: {line}" for line in _facts_of_table(table))]
    return frozenset(lines)


def _facts_of_table(table: TableSchema) -> Iterable[str]:
    yield from (f"column {name} {text}" for name, text in table.columns.items())
    for kind, texts in _kinds(table):
        yield from (f"{kind} {text}" for text in texts if text)


def _kinds(table: TableSchema) -> list[tuple[str, set[str]]]:
    return [
        ("primary key", {table.primary_key}),
        ("foreign key", table.foreign_keys),
        ("index", table.indexes),
        ("check", table.checks),
        ("trigger", table.triggers),
        ("option", {table.options}),
    ]


def diff(expected: Snapshot, found: Snapshot) -> list[str]:
    """What `found` lacks and has too much, a readable line each; empty where the two are equal."""
    lines = [f"table {name} is missing" for name in sorted(expected.tables.keys() - found.tables.keys())]
    lines += [f"table {name} is not expected" for name in sorted(found.tables.keys() - expected.tables.keys())]
    for name in sorted(expected.tables.keys() & found.tables.keys()):
        lines += [f"{name}: {line}" for line in _diff_tables(expected.tables[name], found.tables[name])]
    return lines + _diff_named("view", expected.views, found.views)


def _diff_tables(expected: TableSchema, found: TableSchema) -> list[str]:
    lines = _diff_named("column", expected.columns, found.columns)
    for (kind, old), (_, new) in zip(_kinds(expected), _kinds(found), strict=True):
        lines += [f"{kind} {text} is missing" for text in sorted(old - new)]
        lines += [f"{kind} {text} is not expected" for text in sorted(new - old)]
    return lines


def _diff_named(kind: str, expected: dict[str, str], found: dict[str, str]) -> list[str]:
    lines = [f"{kind} {name} is missing" for name in sorted(expected.keys() - found.keys())]
    lines += [f"{kind} {name} is not expected" for name in sorted(found.keys() - expected.keys())]
    changed = sorted(name for name in expected.keys() & found.keys() if expected[name] != found[name])
    return lines + [f"{kind} {name} is {found[name]}, expected {expected[name]}" for name in changed]


_PG_COLUMNS = """
SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, pg_get_expr(d.adbin, d.adrelid),
       a.attgenerated::text
FROM pg_class c
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
WHERE c.relkind IN ('r', 'p') AND c.relnamespace = quote_ident(current_schema())::regnamespace
"""
_PG_CONSTRAINTS = """
SELECT c.relname, k.contype::text, pg_get_constraintdef(k.oid)
FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
WHERE k.contype IN ('p', 'f', 'c') AND c.relkind IN ('r', 'p')
  AND c.relnamespace = quote_ident(current_schema())::regnamespace
"""
_PG_INDEXES = """
SELECT c.relname, pg_get_indexdef(i.indexrelid), i.indisvalid
FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
WHERE NOT i.indisprimary AND c.relkind IN ('r', 'p') AND c.relnamespace = quote_ident(current_schema())::regnamespace
"""
_PG_NAME = r'(?:"(?:[^"]|"")+"|[^\s".]+)'
_PG_INDEX = re.compile(rf"^CREATE (UNIQUE )?INDEX {_PG_NAME} ON (?:ONLY )?(?:{_PG_NAME}\.)?{_PG_NAME} ")
_PG_TRIGGERS = """
SELECT c.relname, pg_get_triggerdef(t.oid)
FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
WHERE NOT t.tgisinternal AND c.relkind IN ('r', 'p') AND c.relnamespace = quote_ident(current_schema())::regnamespace
"""
_PG_VIEWS = """
SELECT viewname, definition FROM pg_views WHERE schemaname = current_schema()
UNION ALL SELECT matviewname, definition FROM pg_matviews WHERE schemaname = current_schema()
"""


_PG_LITERAL = r"E?'(?:[^']|'')*'(?:::[\w ]+)?"
_PG_CAST_LIST = re.compile(rf"\(ARRAY\[({_PG_LITERAL}(?:, {_PG_LITERAL})*)\]\)::([\w ]+)\[\]")


def _as_restored(text: str) -> str:
    """What a dump makes of `state IN ('a', 'b')`: there each value is cast, and not their list."""

    def each_cast(match: re.Match[str]) -> str:
        values = re.findall(_PG_LITERAL, match[1])
        return f"ARRAY[{', '.join(f'({value})::{match[2]}' for value in values)}]"

    return _PG_CAST_LIST.sub(each_cast, text)


def _postgresql(connection: Connection) -> Snapshot:
    snapshot = Snapshot()
    schema = connection.execute("SELECT quote_ident(current_schema())").fetchone()[0]

    def local(text: str) -> str:
        return _as_restored(text.replace(f"{schema}.", ""))

    for table, column, kind, is_required, default, generated in connection.execute(_PG_COLUMNS).fetchall():
        # The name of a serial column's sequence says when its table was made, and nothing about the schema.
        value = re.sub(r"nextval\('.*'::regclass\)", "nextval(its sequence)", local(default or ""))
        parts = [kind, "NOT NULL" if is_required else "", value and ("AS" if generated else "DEFAULT"), value]
        snapshot.tables.setdefault(table, TableSchema()).columns[column] = _words(parts)
    for table, kind, text in connection.execute(_PG_CONSTRAINTS).fetchall():
        schema_of = snapshot.tables[table]
        if kind == "p":
            schema_of.primary_key = text
        else:
            (schema_of.foreign_keys if kind == "f" else schema_of.checks).add(local(text))
    for table, text, is_valid in connection.execute(_PG_INDEXES).fetchall():
        shape = _PG_INDEX.sub(r"\1", text)
        snapshot.tables[table].indexes.add(local(shape) + ("" if is_valid else " (INVALID)"))
    for table, text in connection.execute(_PG_TRIGGERS).fetchall():
        snapshot.tables[table].triggers.add(local(text))
    snapshot.views = {name: local(text) for name, text in connection.execute(_PG_VIEWS).fetchall()}
    return snapshot


# What a virtual table, such as one for full-text search, keeps its content in is its own affair.
SQLITE_SHADOWS = "SELECT name FROM pragma_table_list WHERE type = 'shadow'"
_SQLITE_MASTER = f"""
SELECT type, name, tbl_name, sql FROM sqlite_master
WHERE name NOT LIKE 'sqlite_%' AND tbl_name NOT IN ({SQLITE_SHADOWS})
"""


def _sqlite(connection: Connection) -> Snapshot:
    snapshot = Snapshot()
    rows = connection.execute(_SQLITE_MASTER)
    for kind, name, table, sql in sorted(rows.fetchall(), key=lambda row: str(row[0] != "table")):
        if kind == "table":
            snapshot.tables[name] = _sqlite_table(connection, name, sql)
        elif kind == "trigger" and table in snapshot.tables:
            snapshot.tables[table].triggers.add(_words(sql.split()))
        elif kind == "view":
            snapshot.views[name] = _words(sql.split())
    return snapshot


def _sqlite_table(connection: Connection, name: str, sql: str) -> TableSchema:
    schema = TableSchema()
    keys = []
    rows = connection.execute('SELECT name, type, "notnull", dflt_value, pk, hidden FROM pragma_table_xinfo(?)', [name])
    for column, kind, is_required, default, key, hidden in rows.fetchall():
        parts = [
            kind.upper(),
            "NOT NULL" if is_required else "",
            default and f"DEFAULT {default}",
            hidden and "GENERATED",
        ]
        schema.columns[column] = _words(parts)
        keys += [(key, column)] if key else []
    schema.primary_key = ", ".join(column for _, column in sorted(keys))
    schema.foreign_keys = _sqlite_foreign_keys(connection, name)
    schema.indexes = _sqlite_indexes(connection, name)
    if "(" in sql and not sql.upper().startswith("CREATE VIRTUAL"):
        table = ddl.parse(sql)
        schema.checks = set(_sqlite_checks(table))
        schema.options = _words(table.tail.lstrip(")").upper().replace(",", " ").split())
    return schema


def _sqlite_foreign_keys(connection: Connection, table: str) -> set[str]:
    keys: dict[int, list[tuple[str, ...]]] = {}
    for row in connection.execute("SELECT * FROM pragma_foreign_key_list(?)", [table]).fetchall():
        keys.setdefault(row[0], []).append(tuple(map(str, row[2:])))
    texts = set()
    for parts in keys.values():
        parent, on_update, on_delete = parts[0][0], parts[0][3], parts[0][4]
        columns, parents = ", ".join(part[1] for part in parts), ", ".join(part[2] for part in parts)
        texts.add(f"({columns}) REFERENCES {parent}({parents}) ON DELETE {on_delete} ON UPDATE {on_update}")
    return texts


def _sqlite_indexes(connection: Connection, table: str) -> set[str]:
    rows = connection.execute(
        'SELECT l.name, l."unique", l.partial, m.sql FROM pragma_index_list(?) l'
        " LEFT JOIN sqlite_master m ON m.name = l.name WHERE l.origin != 'pk'",
        [table],
    )
    texts = set()
    for name, is_unique, is_partial, sql in rows.fetchall():
        columns = [row[0] for row in connection.execute("SELECT name FROM pragma_index_info(?)", [name]).fetchall()]
        is_plain = not is_partial and None not in columns
        shape = f"({', '.join(columns)})" if is_plain else _words(sql[sql.index("(") :].replace('"', "").split())
        texts.add(f"UNIQUE {shape}" if is_unique else shape)
    return texts


def _sqlite_checks(table: ddl.Table) -> Iterable[str]:
    for definition in table.definitions:
        clauses = ddl.clauses(definition.text)[1:] if definition.name else [definition.text]
        for clause in clauses:
            text = re.sub(r"^CONSTRAINT \S+ ", "", _words(ddl.without_comments(clause).split()))
            if text.upper().startswith("CHECK"):
                yield text


def _words(parts: Iterable[object]) -> str:
    return " ".join(str(part) for part in parts if part)
