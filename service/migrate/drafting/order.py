"""In which order tables are made: parents first."""

from __future__ import annotations

from collections.abc import Iterable

from service.migrate.altering.shape import Column, Table


def creation_order(tables: Iterable[Table]) -> list[tuple[Table, frozenset[str]]]:
    """Parents first. Where foreign keys go round in a circle, the columns that have to be added later on."""
    order, rest = [], list(tables)
    while rest:
        waiting = {table.name for table in rest}
        unmet = {table.name: _unmet(table, waiting - {table.name}) for table in rest}
        table = min(rest, key=lambda one: _hindrance(one, unmet[one.name]))
        order.append((table, frozenset(unmet[table.name])))
        rest.remove(table)
    return order


def _hindrance(table: Table, unmet: list[str]) -> tuple[int, int]:
    """Least for a table that lacks nothing, then for one whose foreign keys can be added without a value."""
    return sum(not _can_wait(table.columns[name]) for name in unmet), len(unmet)


def _unmet(table: Table, waiting: set[str]) -> list[str]:
    return [name for name, column in table.columns.items() if column.reference and column.reference.table in waiting]


def _can_wait(column: Column) -> bool:
    return column.null or bool(column.field.deferred)
