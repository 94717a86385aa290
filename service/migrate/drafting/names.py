"""The same tables under other names, and with the names of fields that the migrations know."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from service.migrate.altering.shape import Column, Index, Table, Tables


@dataclass(frozen=True)
class Renames:
    """`tables`: old name to new. `columns`: (new name of the table, old column) to new column."""

    tables: Mapping[str, str] = field(default_factory=dict)
    columns: Mapping[tuple[str, str], str] = field(default_factory=dict)

    def reversed(self) -> Renames:
        back = {new: old for old, new in self.tables.items()}
        columns = {(back.get(table, table), new): old for (table, old), new in self.columns.items()}
        return Renames(back, columns)


def renamed(tables: Tables, renames: Renames) -> Tables:
    """The tables under their new names."""
    found = with_tables_renamed(tables, renames.tables)
    return {name: _with_columns_renamed(table, renames.columns) for name, table in found.items()}


def settled(old: Tables, new: Tables, renames: Renames) -> Tables:
    """The new tables with the names of the fields that the migrations already know, since operations go by these."""
    known = {
        (table.name, column.column): column.name
        for table in with_tables_renamed(old, renames.tables).values()
        for column in table.columns.values()
    }
    return {
        table.name: replace(
            table,
            columns={
                name: replace(column, name=known.get((table.name, name), column.name))
                for name, column in table.columns.items()
            },
        )
        for table in new.values()
    }


def with_tables_renamed(tables: Tables, names: Mapping[str, str]) -> Tables:
    def column(one: Column) -> Column:
        reference = one.reference
        if reference is None:
            return one
        return replace(one, reference=replace(reference, table=names.get(reference.table, reference.table)))

    return {
        names.get(table.name, table.name): replace(
            table,
            name=names.get(table.name, table.name),
            columns={name: column(one) for name, one in table.columns.items()},
        )
        for table in tables.values()
    }


def _with_columns_renamed(table: Table, columns: Mapping[tuple[str, str], str]) -> Table:
    names = {old: new for (of, old), new in columns.items() if of == table.name}

    def column(one: Column) -> Column:
        to = one.reference
        reference = to and replace(to, column=columns.get((to.table, to.column), to.column))
        return replace(one, column=names.get(one.column, one.column), reference=reference)

    return replace(
        table,
        columns={names.get(name, name): column(one) for name, one in table.columns.items()},
        indexes=tuple(_index_renamed(one, names) for one in table.indexes),
        key=tuple(names.get(name, name) for name in table.key),
    )


def _index_renamed(index: Index, names: Mapping[str, str]) -> Index:
    parts = tuple(f'"{names[part[1:-1]]}"' if part[1:-1] in names else part for part in index.parts)
    return replace(index, parts=parts, columns=tuple(names.get(name, name) for name in index.columns))
