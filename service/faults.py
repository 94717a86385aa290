"""What may stand in a log about an error: its kind and its place, never a value that it may quote."""

from __future__ import annotations

import traceback
from pathlib import Path

import peewee as pw

from service.url import ROOT

_DATABASE_IS_GONE = (pw.OperationalError, pw.InterfaceError)
# PostgreSQL's codes (its manual, appendix A) and SQLite's (sqlite.org/rescode.html) for read-only, and for a full disk.
_WRITES_NOTHING = {"25006", "53100", 8, 13}
# A right that is missing, a table or a column that is: the words name them, and nothing that stands in them.
_NAMES_ONLY = {"42501", "42P01", "42703"}
# Where SQLite has rolled back by itself, as on a full disk (sqlite.org/lang_transaction.html), and is told to again.
_HIDES_THE_FIRST = ("cannot rollback - no transaction is active", "no such savepoint: ")


def is_outage(error: BaseException) -> bool:
    """The database, not the work, is what failed."""
    return isinstance(error, _DATABASE_IS_GONE) or takes_no_changes(error)


def takes_no_changes(error: BaseException) -> bool:
    """The database answers, but nothing can be written there: it is read-only, or its disk is full."""
    return _code(_first(error)) in _WRITES_NOTHING


def headline(error: BaseException) -> str:
    """What may stand in the log. The text of an unknown error may quote a message, so only its kind and place do."""
    error = _first(error)
    kind = type(error).__name__
    if is_outage(error) or _code(error) in _NAMES_ONLY:
        return f"{kind}: {(str(error).splitlines() or [''])[0]}"
    return f"{kind} at {_place(error)}"


def _first(error: BaseException) -> BaseException:
    """What was raised before there was nothing left to roll back: that is what went wrong."""
    while str(error).startswith(_HIDES_THE_FIRST) and error.__context__:
        error = error.__context__
    return error


def _code(error: BaseException) -> str | int | None:
    """The driver's own; of SQLite's, the kind without its variety."""
    driver = getattr(error, "orig", None)
    varied: int = getattr(driver, "sqlite_errorcode", 0)
    return getattr(driver, "pgcode", None) or varied & 0xFF or None


def _place(error: BaseException) -> str:
    """The innermost line of ours that was running."""
    ours = [
        f"{Path(frame.filename).relative_to(ROOT)}:{frame.lineno}"
        for frame in traceback.extract_tb(error.__traceback__)
        if Path(frame.filename).is_relative_to(ROOT / "service")
    ]
    return ours[-1] if ours else "an unknown place"
