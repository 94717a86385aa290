"""Indexes, in the entries of a model's Meta and in a live table."""

from __future__ import annotations

import re
from typing import Any

import peewee as pw
from playhouse.migrate import make_index_name

from service.migrate.altering import catalog, shape

_DROPPED = re.compile(r'\s*DROP\s+INDEX\s+(?:CONCURRENTLY\s+)?(?:IF\s+EXISTS\s+)?"?(\w+)"?\s*;?\s*$', re.IGNORECASE)


def is_statement(parts: tuple[Any, ...]) -> bool:
    """Whether what an index is made of is its whole statement."""
    return len(parts) == 1 and isinstance(parts[0], pw.SQL) and parts[0].sql.lstrip().upper().startswith("CREATE")


def is_over(entry: Any, field: Any) -> bool:
    """Whether an entry of Meta.indexes has this field among its own."""
    parts = entry[0] if isinstance(entry, tuple | list) else getattr(entry, "_expressions", ())
    return any(part is field or part in (field.name, field.column_name) for part in parts if _is_part(part))


def is_meant(model: Any, entry: Any, columns: list[str], name: str | None, *, is_sqlite: bool) -> bool:
    """Whether an entry of Meta.indexes is the plain index over these columns, or the one of this name."""
    if not isinstance(entry, pw.Node):
        fields = [model._meta.combined[part] if isinstance(part, str) else part for part in entry[0]]
        entry = pw.ModelIndex(model, fields, unique=entry[1])
    index = shape.index_of(entry, is_sqlite=is_sqlite)
    if name is None and index.is_plain:
        return list(index.columns) == columns
    return bool(index.name == (name or _usual_name(model._meta.table_name, columns)))


def dropped_by(statement: str) -> str:
    """The name of the index that a statement drops; empty where it does something else."""
    match = _DROPPED.match(statement)
    return match[1] if match else ""


def renamed(entry: Any, old: str, new: str) -> Any:
    """The entry of Meta.indexes after a field got another name."""
    if isinstance(entry, pw.Node):
        return entry
    return tuple(new if part == old else part for part in entry[0]), entry[1]


def drop(database: Any, table: str, columns: list[str], name: str | None) -> None:
    """The plain index over these columns, whatever its name is; or the index of this name."""
    for each in [name] if name else _names(database, table, columns):
        database.execute_sql(f'DROP INDEX "{each}"', None)


def _names(database: Any, table: str, columns: list[str]) -> list[str]:
    is_sqlite = isinstance(database, pw.SqliteDatabase)
    plain = catalog.PLAIN_INDEXES_ON_SQLITE if is_sqlite else catalog.PLAIN_INDEXES_ON_POSTGRESQL
    found = database.execute_sql(plain, (table,)).fetchall()
    names = [index for index, over in found if over == ",".join(columns)]
    return names or [_usual_name(table, columns)]  # one with a condition, by the name it was given


def _usual_name(table: str, columns: list[str]) -> str:
    return str(make_index_name(table, columns))  # type: ignore[no-untyped-call]


def _is_part(part: Any) -> bool:
    return isinstance(part, str | pw.Field)
