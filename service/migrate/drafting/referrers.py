"""What refers to a key, or to a unique column, that changes: it goes before, or lets go of it meanwhile."""

from __future__ import annotations

import copy
from collections.abc import Sequence, Set
from dataclasses import replace
from typing import Any

import peewee as pw

from service.migrate.altering.shape import Column, Index, Table

# Columns by their table, which nothing may refer to for a while.
Columns = Set[tuple[str, str]]


def giving_way(kept: Sequence[tuple[Table, Table]]) -> Columns:
    """The columns of which others could be sure, and can't any more: of a key that changes, of a unique index."""
    found: set[tuple[str, str]] = set()
    for old, new in kept:
        found |= {(old.name, column) for column in old.key if old.key != new.key}
        found |= {(old.name, index.columns[0]) for index in old.indexes if is_sure(index) and index not in new.indexes}
    return found


def going_first(gone: Sequence[Table], columns: Columns) -> Sequence[Table]:
    """Of the tables that go, those that refer to these columns, or to a table that goes first itself."""
    first: list[Table] = []
    while more := [table for table in gone if table not in first and _refers(table, columns | of(first))]:
        first += more
    return first


def of(tables: Sequence[Table]) -> Columns:
    return {(table.name, column) for table in tables for column in table.columns}


def leaving(old: Table, new: Table, columns: Columns) -> list[str]:
    """The columns that refer to these and go; one that is in the key can't go before the key does."""
    gone = [column for name, column in old.columns.items() if name not in {*new.columns, *old.key}]
    return [column.column for column in gone if _is_to(column, columns)]


def loosened(table: Table, columns: Columns) -> Table:
    """The table with plain columns where it refers to these."""
    return replace(
        table, columns={name: _plain(one) if _is_to(one, columns) else one for name, one in table.columns.items()}
    )


def is_sure(index: Index) -> bool:
    """Whether others may refer to its column."""
    return index.unique and index.is_plain and len(index.columns) == 1


def _refers(table: Table, columns: Columns) -> bool:
    return any(_is_to(column, columns) for column in table.columns.values())


def _is_to(column: Column, columns: Columns) -> bool:
    return column.reference is not None and (column.reference.table, column.reference.column) in columns


def _plain(column: Column) -> Column:
    field = _field_like(column.field.rel_field)
    field.null, field.primary_key = column.null, column.field.primary_key
    field.unique = field.index = False
    field.default = field.constraints = None
    return replace(column, reference=None, field=field)


def _field_like(referred: Any) -> Any:
    """A field of the type that a reference to this one has."""
    while isinstance(referred, pw.ForeignKeyField):
        referred = referred.rel_field
    if isinstance(referred, pw.BigAutoField):
        return pw.BigIntegerField()
    return pw.IntegerField() if isinstance(referred, pw.AutoField) else copy.copy(referred)
