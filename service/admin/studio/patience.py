"""How long a question of the browser may take: somebody who filters a large table must not slow everybody down."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import peewee as pw

from service.database import is_sqlite

SECONDS = 5.0
# How many steps of SQLite's machine lie between two looks at the clock.
_STEPS = 50_000
_SIGNS = ("statement timeout", "interrupted")


class TooSlow(Exception):
    """The database was stopped. The text is for the person who asked."""

    def __init__(self, seconds: float) -> None:
        super().__init__(
            f"This took longer than {seconds:g} s, so it was stopped. Filter or sort by an indexed column."
        )


@contextmanager
def limited(database: pw.Database, seconds: float = SECONDS) -> Iterator[None]:
    """Questions in here end after some seconds. Raises TooSlow."""
    try:
        with _sqlite_clock(database, seconds) if is_sqlite(database) else _postgresql_clock(database, seconds):
            yield
    except pw.OperationalError as error:
        if any(sign in str(error) for sign in _SIGNS):
            raise TooSlow(seconds) from None
        raise


@contextmanager
def _postgresql_clock(database: Any, seconds: float) -> Iterator[None]:
    with database.atomic():
        database.execute_sql(f"SET LOCAL statement_timeout = {int(seconds * 1000)}")
        yield


@contextmanager
def _sqlite_clock(database: Any, seconds: float) -> Iterator[None]:
    raw, deadline = database.connection(), time.monotonic() + seconds
    raw.set_progress_handler(lambda: time.monotonic() > deadline, _STEPS)
    try:
        yield
    finally:
        raw.set_progress_handler(None, 0)
