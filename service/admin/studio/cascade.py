"""What a delete takes along: the foreign keys, followed from the row as the database would follow them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import reduce
from operator import and_, or_
from typing import Any

import peewee as pw

from service.admin.studio.catalog import Catalog, ForeignKey, Table
from service.admin.studio.rows import Key, Source

# So many rows are followed; beyond, the numbers are "at least".
FOLLOWED = 10_000
_AT_ONCE = 200
NAMED = 5

Values = dict[str, Any]


@dataclass
class Cost:
    """`deleted` counts the rows that go along, by table; `unlinked` are those that stay without their link, `held`
    those that forbid the delete, by link. `is_cut` where there were too many to follow all."""

    deleted: dict[str, int] = field(default_factory=dict)
    unlinked: dict[ForeignKey, list[Key]] = field(default_factory=dict)
    held: dict[ForeignKey, list[Key]] = field(default_factory=dict)
    is_cut: bool = False

    @property
    def is_possible(self) -> bool:
        return not self.held


def cost(database: pw.Database, catalog: Catalog, table: Table, key: Key) -> Cost:
    """What deleting this row would mean. Reads only."""
    return _Search(database, catalog).follow(table, key)


class _Search:
    def __init__(self, database: pw.Database, catalog: Catalog) -> None:
        self._database, self._catalog = database, catalog
        self._doomed: dict[str, set[Key]] = {}
        self._cost, self._seen = Cost(), 0

    def follow(self, table: Table, key: Key) -> Cost:
        source = Source(self._database, table)
        waiting = [(table, self._doom(table, self._read(source, [source.has_key(key)])))]
        while waiting and not self._cost.is_cut:
            parent, rows = waiting.pop()
            for link in self._catalog.referring(parent.name) if rows else ():
                child = self._catalog.tables[link.table]
                found = list(self._children(link, child, rows))
                if link.on_delete == "CASCADE":
                    waiting.append((child, self._doom(child, found)))
                else:
                    self._note(link, child, found)
        return self._finished(table)

    def _children(self, link: ForeignKey, child: Table, parents: list[Values]) -> Iterator[Values]:
        """The rows that the link leads from, to any of these parents."""
        source = Source(self._database, child)
        wanted = [tuple(parent[name] for name in link.parent_columns) for parent in parents]
        wanted = [values for values in wanted if None not in values]
        for start in range(0, len(wanted), _AT_ONCE):
            part = wanted[start : start + _AT_ONCE]
            fields = [source.field(name) for name in link.columns]
            matches = (reduce(and_, (f == v for f, v in zip(fields, values, strict=True))) for values in part)
            yield from self._read(source, [reduce(or_, matches)])

    def _read(self, source: Source, conditions: Iterable[Any]) -> list[Values]:
        """The columns by which a row is known and referred to; no more rows than are still to be followed."""
        links = self._catalog.referring(source.table.name)
        names = list(dict.fromkeys([*source.table.key, *(name for link in links for name in link.parent_columns)]))
        chosen = [source.field(name) for name in names] or [pw.SQL("1")]
        left = FOLLOWED - self._seen
        rows = list(source.entity.select(*chosen).where(*conditions).limit(left + 1).tuples())
        self._seen += len(rows)
        self._cost.is_cut = self._cost.is_cut or len(rows) > left
        return [dict(zip(names, row, strict=False)) for row in rows[:left]]

    def _doom(self, table: Table, rows: list[Values]) -> list[Values]:
        """Those that go along and were not met before: a circle of links ends here. A table without a key can only be
        counted, and nothing refers to it."""
        if not table.key:
            self._cost.deleted[table.name] = self._cost.deleted.get(table.name, 0) + len(rows)
            return []
        known = self._doomed.setdefault(table.name, set())
        fresh = [row for row in rows if _key(table, row) not in known]
        known.update(_key(table, row) for row in fresh)
        return fresh

    def _note(self, link: ForeignKey, child: Table, rows: list[Values]) -> None:
        is_kept = link.on_delete in ("SET NULL", "SET DEFAULT")
        noted = self._cost.unlinked if is_kept else self._cost.held
        noted.setdefault(link, []).extend(_key(child, row) for row in rows)

    def _finished(self, table: Table) -> Cost:
        """Without the row itself. What goes along anyway neither stays nor holds, unless RESTRICT says so at once."""
        counted = {name: len(keys) - (name == table.name) for name, keys in self._doomed.items()}
        self._cost.deleted |= {name: number for name, number in counted.items() if number}
        self._cost.unlinked = self._remaining(self._cost.unlinked)
        self._cost.held = self._remaining(self._cost.held)
        return self._cost

    def _remaining(self, noted: dict[ForeignKey, list[Key]]) -> dict[ForeignKey, list[Key]]:
        left = {}
        for link, keys in noted.items():
            going = set() if link.on_delete == "RESTRICT" else self._doomed.get(link.table, set())
            left[link] = [key for key in keys if not key or key not in going]
        return {link: keys for link, keys in left.items() if keys}


def _key(table: Table, row: Values) -> Key:
    return tuple(row[name] for name in table.key)
