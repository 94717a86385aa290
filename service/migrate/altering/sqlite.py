"""The changes that SQLite's ALTER TABLE can't make, by the procedure of its manual ("ALTER TABLE", section 7).

The table is made anew under another name, filled, and takes the old one's place; indexes and triggers are made again
from their own text, views and other tables' references are left as they are. The runner has switched the foreign keys
off before BEGIN and checks them before COMMIT.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import peewee as pw
from peewee_migrate.migrator import SqliteMigrator
from playhouse.migrate import operation

from service.migrate.altering import ddl
from service.migrate.altering.ddl import Table

_NEW = "_slipway_new_table"


class SafeSqliteMigrator(SqliteMigrator):
    """peewee_migrate's operations, where theirs would lose something or can't do it."""

    @operation
    def drop_column(self, table: str, column_name: str, cascade: bool = True) -> None:  # noqa: ARG002  # as inherited
        def edit(old: Table) -> Table:
            keys = [one for one in old.definitions if one.foreign_key_column.lower() == column_name.lower()]
            return old.without(old.column(column_name), *keys)

        rebuild(self.database, table, edit, dropped=column_name)

    @operation
    def add_not_null(self, table: str, column: str) -> None:
        def edit(text: str) -> str:
            return text if ddl.has_clause(text, "NOT NULL") else ddl.with_clause(text, "NOT NULL")

        _edit_column(self.database, table, column, edit)

    @operation
    def drop_not_null(self, table: str, column: str) -> None:
        _edit_column(self.database, table, column, lambda text: ddl.without_clause(text, "NOT NULL"))

    @operation
    def set_default(self, table: str, column: str, literal: str) -> None:
        def edit(text: str) -> str:
            return ddl.with_clause(ddl.without_clause(text, "DEFAULT"), f"DEFAULT {literal}")

        _edit_column(self.database, table, column, edit)

    def alter_change_column(self, table: str, column: str, field: pw.Field) -> list[Any]:
        """A new type, and NULL where the field allows it; what else the column has stays."""
        return [self.change_type(table, column, field)]

    @operation
    def change_type(self, table: str, column: str, field: pw.Field) -> None:
        def edit(text: str) -> str:
            kind, _ = self.make_context().sql(field.ddl_datatype(self.make_context())).query()
            rest = ddl.clauses(text)[1:]
            changed = f' "{column}" {kind} {"".join(rest).strip()}'.rstrip()
            return ddl.without_clause(changed, "NOT NULL") if field.null else changed

        _edit_column(self.database, table, column, edit)

    @operation
    def add_foreign_key_constraint(
        self,
        table: str,
        column_name: str,
        rel: str,
        rel_column: str,
        on_delete: str | None = None,
        on_update: str | None = None,
    ) -> None:
        actions = [f"ON {event} {action}" for event, action in (("DELETE", on_delete), ("UPDATE", on_update)) if action]
        key = f'FOREIGN KEY ("{column_name}") REFERENCES "{rel}" ("{rel_column}") {" ".join(actions)}'.rstrip()
        rebuild(self.database, table, lambda old: old.plus(key))

    @operation
    def drop_foreign_key_constraint(self, table: str, column_name: str) -> None:
        def edit(old: Table) -> Table:
            keys = [one for one in old.definitions if one.foreign_key_column.lower() == column_name.lower()]
            text = ddl.without_clause(old.column(column_name).text, "REFERENCES")
            return old.with_column(column_name, text).without(*keys)

        rebuild(self.database, table, edit)

    @operation
    def add_constraint(self, table: str, name: str, constraint: pw.SQL) -> None:
        rebuild(self.database, table, lambda old: old.plus(f'CONSTRAINT "{name}" {constraint.sql}'))

    @operation
    def drop_constraint(self, table: str, name: str) -> None:
        def edit(old: Table) -> Table:
            found = [one for one in old.definitions if one.constraint_name.lower() == name.lower()]
            if not found:
                raise LookupError(f'the table has no constraint "{name}"')
            return old.without(*found)

        rebuild(self.database, table, edit)


def rebuild(database: Any, table: str, edit: Callable[[Table], Table], *, dropped: str = "") -> None:
    """Change a table by changing its definition. Raises RuntimeError where that could cost rows."""
    if database.execute_sql("PRAGMA foreign_keys").fetchone()[0]:
        raise RuntimeError(f"{table} can only be rebuilt in an atomic migration: remove `atomic = False`")
    name, sql = _one(database, "SELECT name, sql FROM sqlite_master WHERE type = 'table' AND name = ?", table)
    database.rebuilt.add(name)
    database.spoken_of.add(dropped.lower())
    companions = _companions(database, name, dropped)
    sequence = _sequence(database, name)
    new = edit(ddl.parse(sql))
    columns = ", ".join(f'"{column}"' for column in _stored_columns(database, name) if column != dropped)
    database.execute_sql(new.sql(_NEW))
    database.execute_sql(f'INSERT INTO "{_NEW}" ({columns}) SELECT {columns} FROM "{name}"')
    _compare_counts(database, name)
    database.execute_sql(f'DROP TABLE "{name}"')
    # The old way of renaming leaves views and the references of other tables as they are, which is what we want here.
    database.execute_sql("PRAGMA legacy_alter_table = ON")
    try:
        database.execute_sql(f'ALTER TABLE "{_NEW}" RENAME TO "{name}"')
    finally:
        database.execute_sql("PRAGMA legacy_alter_table = OFF")
    for statement in companions:
        database.execute_sql(statement)
    if sequence is not None:
        database.execute_sql("UPDATE sqlite_sequence SET seq = ? WHERE name = ?", (sequence, name))


def _edit_column(database: Any, table: str, column: str, edit: Callable[[str], str]) -> None:
    rebuild(database, table, lambda old: old.with_column(column, edit(old.column(column).text)))


def _companions(database: Any, table: str, dropped: str) -> list[str]:
    """The statements that made the table's indexes and triggers, without the indexes over a dropped column."""
    rows = database.execute_sql(
        "SELECT type, name, sql FROM sqlite_master WHERE tbl_name = ? AND type IN ('index', 'trigger')"
        " AND sql IS NOT NULL ORDER BY type, rowid",
        (table,),
    ).fetchall()
    return [sql for kind, name, sql in rows if kind == "trigger" or dropped not in _indexed(database, name)]


def _indexed(database: Any, index: str) -> set[str]:
    return {row[0] for row in database.execute_sql("SELECT name FROM pragma_index_info(?)", (index,)).fetchall()}


def _stored_columns(database: Any, table: str) -> list[str]:
    """Columns that hold a value of their own: not the generated ones."""
    rows = database.execute_sql("SELECT name, hidden FROM pragma_table_xinfo(?)", (table,)).fetchall()
    return [name for name, hidden in rows if not hidden]


def _sequence(database: Any, table: str) -> int | None:
    """Where AUTOINCREMENT stands; None for a table without it."""
    if not database.execute_sql("SELECT 1 FROM sqlite_master WHERE name = 'sqlite_sequence'").fetchone():
        return None
    row = database.execute_sql("SELECT seq FROM sqlite_sequence WHERE name = ?", (table,)).fetchone()
    return int(row[0]) if row else None


def _compare_counts(database: Any, table: str) -> None:
    counts = f'SELECT (SELECT count(*) FROM "{table}"), (SELECT count(*) FROM "{_NEW}")'
    before, after = database.execute_sql(counts).fetchone()
    if before != after:
        raise RuntimeError(f"rebuilding {table} would keep {after} of its {before} rows")


def _one(database: Any, sql: str, *parameters: Any) -> tuple[Any, ...]:
    row = database.execute_sql(f"{sql} COLLATE NOCASE", parameters).fetchone()
    if row is None:
        raise LookupError(f"there is no table {parameters[0]}")
    return tuple(row)
