"""How many rows there are: exactly where that is cheap, else as the database remembers."""

from __future__ import annotations

from typing import Any, NamedTuple

import peewee as pw

from service.admin.studio import postgresql
from service.admin.studio.catalog import Catalog, Table
from service.admin.studio.rows import Source
from service.database import is_sqlite

# Counting reads every row; up to here nobody notices.
COUNTED = 10_000


class Count(NamedTuple):
    """`how` is "" for an exact number, "about" for an estimate, "more than" where counting was given up."""

    number: int
    how: str = ""

    def __str__(self) -> str:
        return f"{self.how} {self.number:,}".strip()


def of_tables(database: pw.Database, catalog: Catalog) -> dict[str, Count]:
    estimated = {} if is_sqlite(database) else postgresql.estimates(database)
    return {name: _of_table(database, table, estimated.get(name, -1)) for name, table in catalog.tables.items()}


def of_query(database: pw.Database, query: Any, most: int = COUNTED) -> Count:
    """How many rows a query gives; counting stops at `most`."""
    some = query.limit(most + 1)
    number = pw.Select([some], [pw.fn.COUNT(pw.SQL("*"))]).bind(database).scalar()
    return Count(most, "more than") if number > most else Count(number)


def _of_table(database: pw.Database, table: Table, estimated: int) -> Count:
    if estimated > COUNTED:
        return Count(estimated, "about")
    return of_query(database, Source(database, table).entity.select(pw.SQL("1 AS one")))
