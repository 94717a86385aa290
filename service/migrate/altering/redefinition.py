"""What turns one definition of a column into another: SQL on PostgreSQL, an edit of its CREATE TABLE on SQLite."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from service.migrate.altering import ddl
from service.migrate.altering.ddl import Table
from service.migrate.altering.shape import Column, Reference

_SERIAL = {"SERIAL": "INTEGER", "BIGSERIAL": "BIGINT"}


def statements(table: str, old: Column, new: Column) -> list[str]:
    """For PostgreSQL. The default goes while the type changes, since it may not fit the new one."""
    alter = f'ALTER TABLE "{table}" ALTER COLUMN "{new.column}"'
    is_retyped = type_of(old) != type_of(new)
    is_reset = old.default != new.default or (is_retyped and bool(old.default))
    found = [f"{alter} DROP DEFAULT"] if old.default and is_reset else []
    if is_retyped:
        found.append(f'{alter} TYPE {type_of(new)} USING "{new.column}"::{type_of(new).partition(" COLLATE ")[0]}')
    if old.null != new.null:
        found.append(f"{alter} {'DROP' if new.null else 'SET'} NOT NULL")
    if new.default and is_reset:
        found.append(f"{alter} SET DEFAULT {new.default}")
    added = list(new.checks) if old.checks != new.checks else []
    if new.reference and old.reference != new.reference:
        added.append(_foreign_key(new.column, new.reference))
    return [*found, *(f'ALTER TABLE "{table}" ADD {text}' for text in added)]


def is_numbered(column: Column) -> bool:
    """By a sequence of PostgreSQL."""
    return column.kinds[1] in _SERIAL


def numbering(table: str, column: Column) -> list[str]:
    """What SERIAL would have made for a new column (PostgreSQL manual, "Serial Types")."""
    sequence, owner = f'"{table}_{column.column}_seq"', f'"{table}"."{column.column}"'
    return [
        f"CREATE SEQUENCE {sequence} AS {type_of(column)} OWNED BY {owner}",
        f"""SELECT setval('{sequence}', coalesce((SELECT max("{column.column}") FROM "{table}"), 0) + 1, false)""",
        f"""ALTER TABLE "{table}" ALTER COLUMN "{column.column}" SET DEFAULT nextval('{sequence}')""",
    ]


def type_of(column: Column) -> str:
    """The type on PostgreSQL of a column that is there already."""
    return _SERIAL.get(column.kinds[1], column.kinds[1])


def is_needed(old: Column, new: Column) -> bool:
    """Whether SQLite's table has to be made anew."""
    return _on_sqlite(old) != _on_sqlite(new)


def edit(old: Column, new: Column) -> Callable[[Table], Table]:
    """For SQLite. What is the same in both definitions stays as it was written."""

    def changed(table: Table) -> Table:
        text = table.column(new.column).text
        if old.kinds[0] != new.kinds[0]:
            rest = "".join(ddl.clauses(ddl.without_clause(text, "COLLATE"))[1:]).strip()
            text = f' "{new.column}" {new.kinds[0]} {rest}'.rstrip()
        if old.null != new.null:
            text = ddl.without_clause(text, "NOT NULL", "NULL")
            text = text if new.null else ddl.with_clause(text, "NOT NULL")
        if old.default != new.default:
            text = ddl.without_clause(text, "DEFAULT")
            text = ddl.with_clause(text, f"DEFAULT {new.default}") if new.default else text
        if old.checks != new.checks:
            text = " ".join([ddl.without_clause(text, "CHECK").rstrip(), *new.checks])
        if old.reference == new.reference:
            return table.with_column(new.column, text)
        return _referring(table, new, ddl.without_clause(text, "REFERENCES"))

    return changed


def without_constraint(text: str) -> Callable[[Table], Table]:
    def changed(table: Table) -> Table:
        found = [one for one in table.definitions if not one.name and _words(one.text) == _words(text)]
        if not found:
            raise LookupError(f"the table has no constraint {text}")
        return table.without(*found)

    return changed


def _referring(table: Table, column: Column, text: str) -> Table:
    keys = [one for one in table.definitions if one.foreign_key_column.lower() == column.column.lower()]
    found = table.with_column(column.column, text).without(*keys)
    return found.plus(_foreign_key(column.column, column.reference)) if column.reference else found


def _foreign_key(column: str, to: Reference) -> str:
    words = [f'FOREIGN KEY ("{column}") REFERENCES "{to.table}" ("{to.column}")']
    words += [
        f"ON {event} {action}" for event, action in (("DELETE", to.on_delete), ("UPDATE", to.on_update)) if action
    ]
    return " ".join([*words, f"DEFERRABLE {to.deferrable}" if to.deferrable else ""]).rstrip()


def _on_sqlite(column: Column) -> Column:
    return replace(column, column="", kinds=(column.kinds[0], ""), literal="")


def _words(sql: str) -> str:
    return " ".join(ddl.without_comments(sql).split())
