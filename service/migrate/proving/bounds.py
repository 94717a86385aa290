"""What is tried in the shadow is tried on the live server, in one transaction: whatever ended it would leave the
scratch schema behind, and what comes next would be done to the live one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from psycopg2.extensions import cursor as Cursor
from psycopg2.sql import Composable

from service.migrate.applying import statements
from service.migrate.applying.recorded import EndsTransaction, ends_transaction


class Bound(Cursor):
    """Refuses such statements whoever sends them: a migration may have the driver's own connection."""

    def execute(self, query: Any, vars: Any = None) -> None:
        self._refuse(query)
        super().execute(query, vars)

    def executemany(self, query: Any, vars_list: Iterable[Any]) -> None:
        self._refuse(query)
        super().executemany(query, vars_list)

    def _refuse(self, query: Any) -> None:
        text = query.as_string(self) if isinstance(query, Composable) else query
        for statement in statements.split(text.decode() if isinstance(text, bytes) else text, is_sqlite=False):
            if ends_transaction(statement.sql):
                raise EndsTransaction(statement.sql)


@contextmanager
def bound(raw: Any) -> Iterator[None]:
    """Within the block, for every cursor of the driver's connection."""
    before, raw.cursor_factory = raw.cursor_factory, Bound
    try:
        yield
    finally:
        raw.cursor_factory = before
