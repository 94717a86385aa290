"""Another primary key, or another kind of table, where there are rows: a constraint on PostgreSQL, a new definition on
SQLite, and the same in the replayed model."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import peewee as pw

from service.migrate.altering import catalog, ddl, shape
from service.migrate.altering.ddl import Definition, Table

# What stands behind a table's definitions on SQLite, by the setting of its model.
SETTINGS = {"strict_tables": "STRICT", "without_rowid": "WITHOUT ROWID"}


def redefined(columns: Sequence[str], numbered: str = "") -> Callable[[Table], Table]:
    """For SQLite. `numbered` is the definition of a column that comes with the key, and that numbers the rows."""

    def changed(table: Table) -> Table:
        keyless = replace(
            table, definitions=tuple(_without_key(one) for one in table.definitions if not _is_key(one.text))
        )
        if numbered:
            return replace(keyless, definitions=(Definition(f" {numbered} PRIMARY KEY"), *keyless.definitions))
        if len(columns) == 1:
            text = keyless.column(columns[0]).text
            return keyless.with_column(columns[0], ddl.with_clause(text, "PRIMARY KEY"))
        return keyless.plus(f"PRIMARY KEY ({_listed(columns)})") if columns else keyless

    return changed


def with_settings(words: Sequence[str]) -> Callable[[Table], Table]:
    return lambda table: replace(table, tail=f") {', '.join(words)}".rstrip())


def statements(table: str, columns: Sequence[str], numbered: str, ask: Callable[..., list[Any]]) -> list[str]:
    """For PostgreSQL; `ask` is a question to the catalog."""
    found = [f'ALTER TABLE "{table}" DROP CONSTRAINT "{name}"' for (name,) in ask(catalog.PRIMARY_KEY, table)]
    if numbered:
        found.append(f'ALTER TABLE "{table}" ADD COLUMN {numbered} PRIMARY KEY')
    elif columns:
        found.append(f'ALTER TABLE "{table}" ADD PRIMARY KEY ({_listed(columns)})')
    return found


def definition(field: Any, *, is_sqlite: bool) -> str:
    column = shape.column_of(field, is_sqlite=is_sqlite)
    return f'"{column.column}" {column.kinds[0 if is_sqlite else 1]} NOT NULL'


def note(model: Any, names: Sequence[str]) -> None:
    """Make these fields the key of the model."""
    meta = model._meta
    for field in meta.sorted_fields:
        field.primary_key = [field.name] == list(names)
    several: Any = pw.CompositeKey(*names) if names else False
    key = meta.fields[names[0]] if len(names) == 1 else several
    if isinstance(key, pw.CompositeKey):
        key.bind(model, "__composite_key__")
    meta.primary_key, meta.composite_key = key, isinstance(key, pw.CompositeKey)
    meta.auto_increment = bool(key and key.auto_increment)


def _without_key(one: Definition) -> Definition:
    return Definition(ddl.without_clause(one.text, "PRIMARY")) if one.name else one


def _is_key(text: str) -> bool:
    words = ddl.without_comments(text).strip()
    return bool(re.match(r"(CONSTRAINT\s+(\"[^\"]+\"|\S+)\s+)?PRIMARY\s+KEY\b", words, re.IGNORECASE))


def _listed(columns: Sequence[str]) -> str:
    return ", ".join(f'"{column}"' for column in columns)
