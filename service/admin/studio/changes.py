"""Writing: one row, in one transaction with its entry in the record of changes, and only if nobody was faster."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, NamedTuple

from service import audit
from service.admin.studio import cascade, guards
from service.admin.studio.catalog import Catalog, Column, Table
from service.admin.studio.rows import LONGEST, Key, Row, Source
from service.chat import search
from service.database import writing
from service.models import Message, User


class Who(NamedTuple):
    """Who changes something, and from which address."""

    user: User
    address: str | None


class Stale(Exception):
    """The row is not what the person saw any more; `now` is None where it is gone."""

    def __init__(self, now: Row | None) -> None:
        self.now = now
        super().__init__("The row was changed or removed meanwhile.")


class Refusal(Exception):
    """The change is not allowed here. The text is for the person who tried."""


def stamp(row: Row) -> str:
    """Tells two states of a row apart, without holding any of its values."""
    return hashlib.sha256(repr(row).encode("utf-8", "surrogatepass")).hexdigest()[:32]


def insert(source: Source, values: Mapping[str, Any], who: Who) -> Key:
    """Add a row; the key that it has got."""
    _refuse(guards.of_insert(source.table))
    with writing(source.database):
        query = source.entity.insert({source.field(name): value for name, value in values.items()})
        returned = query.returning(*map(source.field, source.table.key)).execute()
        key = tuple(dict(next(iter(returned))).values())
        _record(source.table, "insert", key, values, who)
        _reindex(source.table, key, values)
    return key


def update(source: Source, key: Key, values: Mapping[str, Any], seen: str, who: Who) -> None:
    """Write the changed columns of a row, if there are any. Raises Stale."""
    _refuse(guards.of_table(source.table))
    if not values:
        return
    with writing(source.database):
        _held(source, key, seen)
        query = source.entity.update({source.field(name): value for name, value in values.items()})
        if query.where(source.has_key(key)).execute() != 1:
            raise Stale(None)
        _record(source.table, "update", key, values, who)
        _reindex(source.table, key, values)


def delete(source: Source, catalog: Catalog, key: Key, seen: str, who: Who) -> cascade.Cost:
    """Remove a row and what goes along with it; what that was. Raises Stale, or Refusal where other rows hold it."""
    with writing(source.database):
        row = _held(source, key, seen)
        _refuse(guards.of_delete(source.table, by_name(source.table, row)))
        cost = cascade.cost(source.database, catalog, source.table, key)
        _refuse("" if cost.is_possible else "Other rows hold this one.")
        if source.entity.delete().where(source.has_key(key)).execute() != 1:
            raise Stale(None)
        audit.record(
            who.user,
            "data.delete",
            _subject(source.table, key),
            address=who.address,
            details={"went_along": cost.deleted} if cost.deleted else None,
        )
    return cost


def by_name(table: Table, row: Row) -> dict[str, Any]:
    return {column.name: value for column, value in zip(table.shown, row.cells, strict=True)}


def is_whole(column: Column, value: Any) -> bool:
    """Whether all of a value was read, rather than its beginning."""
    return column.kind not in ("text", "json", "other") or len(value or "") <= LONGEST


def _held(source: Source, key: Key, seen: str) -> Row:
    row = source.one(key, is_locked=True)
    if row is None or stamp(row) != seen:
        raise Stale(row)
    return row


def _refuse(reason: str) -> None:
    if reason:
        raise Refusal(reason)


def _record(table: Table, verb: str, key: Key, values: Mapping[str, Any], who: Who) -> None:
    """The names of the columns alone: what stands in them may be somebody's words."""
    details = {"columns": sorted(values)}
    audit.record(who.user, f"data.{verb}", _subject(table, key), address=who.address, details=details)


def _subject(table: Table, key: Key) -> str:
    return f"{table.name} {', '.join(map(str, key))}"


def _reindex(table: Table, key: Key, values: Mapping[str, Any]) -> None:
    """What a message says is also kept as words, for search."""
    if table.name == Message._meta.table_name and "content" in values:
        search.index(Message.get_by_id(key[0]))
