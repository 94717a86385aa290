"""Reading rows: filtered, sorted, a page at a time. Identifiers come from the catalog, values go as parameters."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any, NamedTuple

import peewee as pw

from service.admin.studio import kinds
from service.admin.studio.catalog import Column, Table, entity, field
from service.admin.studio.kinds import Kind
from service.database import is_sqlite

PAGE_SIZE = 50
# How much of a long value a list shows, and how much of it can be edited.
CUT, LONGEST = 120, 100_000

Key = tuple[Any, ...]

# The words of a filter: (how it reads, the kinds it is for); all of them where there are none.
_ORDERED: tuple[Kind, ...] = ("integer", "number", "date", "datetime", "time")
_PLAIN: tuple[Kind, ...] = (*_ORDERED, "text", "boolean")
OPERATORS: dict[str, tuple[str, tuple[Kind, ...]]] = {
    "is": ("is", _PLAIN),
    "not": ("is not", _PLAIN),
    "contains": ("contains", ("text", "json", "other")),
    "starts": ("starts with", ("text",)),
    "above": ("is above", _ORDERED),
    "below": ("is below", _ORDERED),
    "empty": ("is NULL", ()),
    "filled": ("is not NULL", ()),
}
WITHOUT_VALUE = frozenset({"empty", "filled"})


class BadFilter(ValueError):
    """A filter that can't be used. The text is for the person who typed it."""


class Filter(NamedTuple):
    column: str
    operator: str
    value: str = ""


@dataclass(frozen=True)
class View:
    """Which rows of a table, in which order, after which row; all of it stands in the address."""

    filters: tuple[Filter, ...] = ()
    sort: str = ""
    is_descending: bool = False
    after: str = ""

    def arguments(self, **changes: Any) -> dict[str, Any]:
        """For url_for; a list repeats its name."""
        view = replace(self, **changes)
        named = {
            "column": [one.column for one in view.filters],
            "op": [one.operator for one in view.filters],
            "value": [one.value for one in view.filters],
            "sort": view.sort,
            "dir": "desc" if view.is_descending else "",
            "after": view.after,
        }
        return {name: value for name, value in named.items() if value}


class Row(NamedTuple):
    """`cells` stand in the order of the table's shown columns."""

    key: Key
    cells: tuple[Any, ...]


class Page(NamedTuple):
    rows: list[Row]
    has_more: bool


class Source:
    """One table of the database, as something to ask."""

    def __init__(self, database: pw.Database, table: Table) -> None:
        self.database, self.table = database, table
        self.entity = entity(database, table)
        self.is_sqlite = is_sqlite(database)

    def field(self, name: str) -> Any:
        return field(self.database, self.entity, name)

    def page(self, view: View, after: Key | None, size: int = PAGE_SIZE, cut: int = CUT) -> Page:
        """The rows of a view. Raises BadFilter."""
        found = self.select(view, after, cut).limit(size + 1).tuples()
        width = len(self.table.key)
        rows = [Row(row[:width], row[width:]) for row in found]
        return Page(rows[:size], len(rows) > size)

    def select(self, view: View, after: Key | None, cut: int) -> Any:
        """Key first, then every shown column, long texts cut."""
        cells = [self._cell(column, cut) for column in self.table.shown]
        query = self.entity.select(*map(self.field, self.table.key), *cells)
        conditions = [self._condition(one) for one in view.filters]
        conditions += [self._beyond(view, after)] if after else []
        query = query.where(*conditions) if conditions else query
        return query.order_by(*self._order(view))

    def all(self, view: View, batch: int = 500) -> Iterator[Row]:
        """Every row of the view in the order of the key, a batch a query, so that nothing has to be kept."""
        view, after = View(view.filters), None
        while True:
            page = self.page(view, after, batch, LONGEST)
            yield from page.rows
            if not page.has_more:
                return
            after = page.rows[-1].key

    def one(self, key: Key, cut: int = LONGEST, *, is_locked: bool = False) -> Row | None:
        """The row with this key; held until the transaction ends where that is asked for."""
        cells = [self._cell(column, cut) for column in self.table.shown]
        query = self.entity.select(*map(self.field, self.table.key), *cells).where(self.has_key(key))
        if is_locked and not self.is_sqlite:
            query = query.for_update()
        row = next(iter(query.tuples()), None)
        return Row(row[: len(key)], row[len(key) :]) if row else None

    def has_key(self, key: Key) -> Any:
        return _all(self.field(name) == value for name, value in zip(self.table.key, key, strict=True))

    def parse(self, column: Column, text: str) -> Any:
        return kinds.storable(kinds.parse(column.type, text, is_sqlite=self.is_sqlite), is_sqlite=self.is_sqlite)

    def _cell(self, column: Column, cut: int) -> Any:
        """One character more than is shown tells that there is more. What has no kind is read as text."""
        place = self.field(column.name)
        if column.kind == "other":
            place = self._as_text(place)
        elif column.kind not in ("text", "json"):
            return place
        # SQLite's bytes stay bytes: they need not be text.
        return pw.fn.SUBSTR(place if self.is_sqlite else place.cast("TEXT"), 1, cut + 1)

    def _as_text(self, place: Any) -> Any:
        if not self.is_sqlite:
            return place
        size = pw.fn.LENGTH(place).concat(" bytes")
        return pw.Case(pw.fn.TYPEOF(place), [("blob", size)], place)

    def _condition(self, wanted: Filter) -> Any:
        column = next((column for column in self.table.shown if column.name == wanted.column), None)
        if column is None:
            raise BadFilter(f"There is no column {wanted.column} to filter by.")
        words, kinds_of = OPERATORS.get(wanted.operator, ("", ()))
        if not words or (kinds_of and column.kind not in kinds_of):
            raise BadFilter(f"{column.name}, which is {column.type}, can't be filtered like this.")
        place = self.field(column.name)
        if wanted.operator in WITHOUT_VALUE:
            return place.is_null(wanted.operator == "empty")
        try:
            value = self.parse(column, wanted.value) if column.kind in _PLAIN else wanted.value.replace("\0", "")
        except ValueError as error:
            raise BadFilter(f"{column.name} {words} “{wanted.value[:40]}”: {error}") from None
        return _COMPARISONS[wanted.operator](place if column.kind in _PLAIN else place.cast("TEXT"), value)

    def _order(self, view: View) -> list[Any]:
        keys = [self.field(name) for name in self.table.key]
        column = self._sorted(view)
        if column is None:
            return [key.desc() for key in keys] if view.is_descending else keys
        place = self.field(column.name)
        # NULLs stand last on both engines, in both directions; only where there may be any, for the sake of an index.
        first = [] if column.is_required else [pw.Case(None, [(place.is_null(), 1)], 0)]
        return [*first, *(one.desc() if view.is_descending else one for one in (place, *keys))]

    def _sorted(self, view: View) -> Column | None:
        column = self.table.column(view.sort)
        is_sortable = column is not None and not column.is_secret and column.kind not in ("json", "other")
        return column if is_sortable and self.table.key else None

    def _beyond(self, view: View, after: Key) -> Any:
        """What comes after the row with this key. What it is sorted by is asked of the row itself: an address should
        not hold it."""
        is_after = operator.lt if view.is_descending else operator.gt
        keys = pw.Tuple(*map(self.field, self.table.key))
        column = self._sorted(view)
        if column is None:
            return is_after(keys, pw.Tuple(*after))
        place = self.field(column.name)
        value = next(iter(self.entity.select(place).where(self.has_key(after)).tuples()), (None,))[0]
        if value is None:
            return place.is_null() & is_after(keys, pw.Tuple(*after))
        # One comparison of both, so that an index can be entered at the place.
        beyond = is_after(pw.Tuple(place, *map(self.field, self.table.key)), pw.Tuple(value, *after))
        return beyond if column.is_required else beyond | place.is_null()


_COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "is": operator.eq,
    "not": lambda place, value: (place != value) | place.is_null(),
    "contains": lambda place, value: place.contains(value),
    "starts": lambda place, value: place.startswith(value),
    "above": operator.gt,
    "below": operator.lt,
}


def _all(conditions: Iterator[Any] | Sequence[Any]) -> Any:
    return reduce(operator.and_, conditions)
