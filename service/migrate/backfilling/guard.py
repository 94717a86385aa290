"""What an error leaves of one row, or of one batch, is undone; what is the row's own fault is noted."""

from __future__ import annotations

import re
from types import TracebackType
from typing import Any

import peewee as pw

from service.migrate.applying import contention
from service.migrate.backfilling.tally import Failure, Key
from service.migrate.connection import explain
from service.migrate.errors import MigrateError

# The row's own errors are reported; these are the migration's or the server's, whatever row they come up at.
_NOT_OF_A_ROW = (pw.OperationalError, pw.InterfaceError, pw.ProgrammingError, NameError, ImportError, MigrateError)
_OF_A_ROW_ON_SQLITE = re.compile(r"malformed JSON|integer overflow")


class Savepoint:
    """Made when the first statement comes: a function that only computes costs none. For one block after the other."""

    def __init__(self, database: Any, name: str) -> None:
        self._database, self._name = database, name
        self._is_open = False

    def __enter__(self) -> None:
        self._is_open, self._database.before_statement = False, self._open

    def _open(self) -> None:
        self._database.before_statement = None
        self._database.cursor().execute(f"SAVEPOINT {self._name}")
        self._is_open = True

    def __exit__(
        self, _type: type[BaseException] | None, error: BaseException | None, _traceback: TracebackType | None
    ) -> bool | None:
        self._database.before_statement = None
        if self._is_open and (error is None or isinstance(error, Exception)):
            end = "RELEASE" if error is None else "ROLLBACK TO"
            self._database.cursor().execute(f"{end} SAVEPOINT {self._name}")
        return None


class Guard(Savepoint):
    """Undoes what an error leaves of one row, and notes it."""

    def __init__(self, database: Any, failures: list[Failure]) -> None:
        super().__init__(database, "backfill_row")
        self._failures = failures
        self._key: Key = 0

    def of(self, key: Key) -> Guard:
        self._key = key
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        super().__exit__(kind, error, traceback)
        if not isinstance(error, Exception) or not is_of_a_row(error):
            return False
        self._failures.append((self._key, _reason(error)))
        return True


def is_of_a_row(error: Exception) -> bool:
    if isinstance(error, pw.OperationalError) and _OF_A_ROW_ON_SQLITE.search(str(error)):
        return True
    return not isinstance(error, _NOT_OF_A_ROW) and not contention.is_contention(error)


def _reason(error: Exception) -> str:
    """For logs: without what the message quotes from the row."""
    text = re.sub(r"(?<!\w)'.*?'(?!\w)|(?<=: )\".*", "…", explain(error))
    return f"{type(error).__name__}: {text}"
