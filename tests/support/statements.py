"""What the service asks its database."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


class Statements(logging.Handler):
    """Those that are wanted, each with its values, from Peewee's own log."""

    def __init__(self, is_wanted: Callable[[str], bool]) -> None:
        super().__init__()
        self.asked: list[tuple[str, Any]] = []
        self._is_wanted = is_wanted

    def emit(self, record: logging.LogRecord) -> None:
        if isinstance(record.msg, tuple) and self._is_wanted(record.msg[0]):
            self.asked.append(record.msg)


@contextmanager
def heard(is_wanted: Callable[[str], bool]) -> Iterator[Statements]:
    """What is asked while the block runs."""
    log, statements = logging.getLogger("peewee"), Statements(is_wanted)
    before = log.level
    log.addHandler(statements)
    log.setLevel(logging.DEBUG)
    try:
        yield statements
    finally:
        log.removeHandler(statements)
        log.setLevel(before)
