"""The schema of an SQLite database, read from sqlite_master and the pragmas."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from service.migrate.altering import ddl
from service.migrate.connection import Connection
from service.migrate.proving.owned import SHADOWS_ON_SQLITE
from service.migrate.proving.snapshot import Snapshot, TableSchema, joined, of_view

_MASTER = f"""
SELECT type, name, tbl_name, sql FROM sqlite_master
WHERE name NOT LIKE 'sqlite_%' AND tbl_name NOT IN ({SHADOWS_ON_SQLITE})
"""

_INDEXED = 'SELECT name, coll, "desc" FROM pragma_index_xinfo(?) WHERE key ORDER BY seqno'
_COLLATION = re.compile(r"^(?:CONSTRAINT \S+ )?COLLATE\s+[\"'`\[]?(\w+)", re.IGNORECASE)


def read(connection: Connection) -> Snapshot:
    snapshot = Snapshot()
    rows = connection.execute(_MASTER)
    for kind, name, table, sql in sorted(rows.fetchall(), key=lambda row: str(row[0] != "table")):
        if kind == "table":
            snapshot.tables[name] = _table(connection, name, sql)
        elif kind == "trigger" and table in snapshot.tables:
            snapshot.tables[table].triggers.add(joined(sql.split()))
        elif kind == "trigger":
            snapshot.things[of_view(table, kind, joined(sql.split()))] = ""
        elif kind == "view":
            snapshot.views[name] = joined(sql.split())
    return snapshot


def _table(connection: Connection, name: str, sql: str) -> TableSchema:
    schema, table = TableSchema(), _parsed(sql)
    keys, collations = [], _collations(table) if table else {}
    rows = connection.execute('SELECT name, type, "notnull", dflt_value, pk, hidden FROM pragma_table_xinfo(?)', [name])
    for column, kind, is_required, default, key, hidden in rows.fetchall():
        parts = [
            kind.upper(),
            column in collations and f"COLLATE {collations[column]}",
            "NOT NULL" if is_required else "",
            default and f"DEFAULT {default}",
            hidden and "GENERATED",
        ]
        schema.columns[column] = joined(parts)
        keys += [(key, column)] if key else []
    schema.primary_key = ", ".join(column for _, column in sorted(keys))
    schema.foreign_keys = _foreign_keys(connection, name)
    schema.index_names = _indexes(connection, name, collations)
    schema.indexes = set(schema.index_names)
    if table:
        schema.checks = set(_checks(table))
        schema.options = joined(table.tail.lstrip(")").upper().replace(",", " ").split())
    return schema


def _parsed(sql: str) -> ddl.Table | None:
    return ddl.parse(sql) if "(" in sql and not sql.upper().startswith("CREATE VIRTUAL") else None


def _collations(table: ddl.Table) -> dict[str, str]:
    """Of each column that has another one than SQLite gives it."""
    found = {}
    for definition in table.definitions:
        for clause in ddl.clauses(ddl.without_comments(definition.text))[1:] if definition.name else ():
            match = _COLLATION.search(clause)
            if match and match[1].upper() != "BINARY":
                found[definition.name] = match[1].upper()
    return found


def _foreign_keys(connection: Connection, table: str) -> set[str]:
    keys: dict[int, list[tuple[str, ...]]] = {}
    for row in connection.execute("SELECT * FROM pragma_foreign_key_list(?)", [table]).fetchall():
        keys.setdefault(row[0], []).append(tuple(map(str, row[2:])))
    texts = set()
    for parts in keys.values():
        parent, on_update, on_delete = parts[0][0], parts[0][3], parts[0][4]
        columns, parents = ", ".join(part[1] for part in parts), ", ".join(part[2] for part in parts)
        texts.add(f"({columns}) REFERENCES {parent}({parents}) ON DELETE {on_delete} ON UPDATE {on_update}")
    return texts


def _indexes(connection: Connection, table: str, collations: Mapping[str, str]) -> dict[str, str]:
    rows = connection.execute(
        'SELECT l.name, l."unique", l.partial, m.sql FROM pragma_index_list(?) l'
        " LEFT JOIN sqlite_master m ON m.name = l.name WHERE l.origin != 'pk'",
        [table],
    )
    texts = {}
    for name, is_unique, is_partial, sql in rows.fetchall():
        parts = connection.execute(_INDEXED, [name]).fetchall()
        is_plain = not is_partial and all(column is not None for column, _, _ in parts)
        plain = f"({', '.join(_indexed(part, collations) for part in parts)})" if is_plain else ""
        shape = plain or joined(sql[sql.index("(") :].replace('"', "").split())
        texts[f"UNIQUE {shape}" if is_unique else shape] = f'"{name}"' if sql else ""  # a constraint's is SQLite's own
    return texts


def _indexed(part: tuple[str, str, int], collations: Mapping[str, str]) -> str:
    """A column of an index, with how it is sorted there where that is not how the column is."""
    column, collation, is_descending = part
    is_own = collation.upper() == collations.get(column, "BINARY")
    return joined([column, "" if is_own else f"COLLATE {collation.upper()}", "DESC" if is_descending else ""])


def _checks(table: ddl.Table) -> Iterable[str]:
    for definition in table.definitions:
        clauses = ddl.clauses(definition.text)[1:] if definition.name else [definition.text]
        for clause in clauses:
            text = re.sub(r"^CONSTRAINT \S+ ", "", joined(ddl.without_comments(clause).split()))
            if text.upper().startswith("CHECK"):
                yield text
