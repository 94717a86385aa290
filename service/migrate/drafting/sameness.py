"""Do two columns ask the database for the same, however they are written?"""

from __future__ import annotations

from dataclasses import replace

from service.migrate.altering.shape import Column


def default_of(old: Column, new: Column) -> str:
    """The server default that a column should have. One that the model does not ask for may stay where it says the same
    as the Python default: it is what lets the previous release insert."""
    if new.default or not old.default:
        return new.default
    return old.default if same(old.default, new.literal) else new.literal


def is_changed(old: Column, new: Column) -> bool:
    return _essence(old) != _essence(new) or not same(old.default, new.default)


def only_null_differs(old: Column, new: Column) -> bool:
    return old.null != new.null and not is_changed(replace(old, null=new.null), new)


def _essence(column: Column) -> Column:
    """Without what makes no difference to the database."""
    return replace(column, default="", literal="", checks=tuple(map(_words, column.checks)))


def same(one: str, other: str) -> bool:
    return _words(one) == _words(other)


def _words(sql: str) -> str:
    return " ".join(sql.split()) if "'" in sql else " ".join(sql.upper().split())
