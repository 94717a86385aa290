"""How many rows there are: exactly where that is cheap, else as the database remembers."""

from __future__ import annotations

from typing import Any, NamedTuple

import peewee as pw

from service.admin.studio import postgresql
from service.admin.studio.catalog import Catalog, named
from service.database import is_sqlite

# Counting reads every row; up to here nobody notices.
COUNTED = 10_000
# For every table of the page. Peewee takes longer to put twenty queries together than the database takes to count.
_COUNT, _UP_TO, _END = pw.SQL("(SELECT COUNT(*) FROM (SELECT 1 FROM"), pw.SQL("LIMIT"), pw.SQL(") AS t)")


class Count(NamedTuple):
    """`how` is "" for an exact number, "about" for an estimate, "more than" where counting was given up."""

    number: int
    how: str = ""

    def __str__(self) -> str:
        return f"{self.how} {self.number:,}".strip()


def of_tables(database: pw.Database, catalog: Catalog) -> dict[str, Count]:
    """As many as can be counted, in one question."""
    estimated = {} if is_sqlite(database) else postgresql.estimates(database)
    found = {name: Count(number, "about") for name, number in estimated.items() if number > COUNTED}
    small = [table for name, table in catalog.tables.items() if name not in found]
    most = pw.Value(COUNTED + 1)
    questions = [pw.NodeList((_COUNT, named(database, table), _UP_TO, most, _END)) for table in small]
    numbers = pw.Select((), questions).bind(database).tuples()[0] if questions else ()
    return found | {table.name: _count(number, COUNTED) for table, number in zip(small, numbers, strict=True)}


def of_query(database: pw.Database, query: Any, most: int = COUNTED) -> Count:
    """How many rows a query gives; counting stops at `most`."""
    return _count(_question(query, most).bind(database).scalar(), most)


def _question(query: Any, most: int) -> Any:
    return pw.Select([query.limit(most + 1)], [pw.fn.COUNT(pw.SQL("*"))])


def _count(number: int, most: int) -> Count:
    return Count(most, "more than") if number > most else Count(number)
