"""What may stand in a log about an error: its kind and its place, never a value that it may quote."""

from __future__ import annotations

import traceback
from pathlib import Path

import peewee as pw

from service.url import ROOT

_DATABASE_IS_GONE = (pw.OperationalError, pw.InterfaceError)


def is_outage(error: BaseException) -> bool:
    """The database, not the work, is what failed."""
    return isinstance(error, _DATABASE_IS_GONE)


def headline(error: BaseException) -> str:
    """What may stand in the log. The text of an unknown error may quote a message, so only its kind and place do."""
    kind = type(error).__name__
    if is_outage(error):
        return f"{kind}: {(str(error).splitlines() or [''])[0]}"
    return f"{kind} at {_place(error)}"


def _place(error: BaseException) -> str:
    """The innermost line of ours that was running."""
    ours = [
        f"{Path(frame.filename).relative_to(ROOT)}:{frame.lineno}"
        for frame in traceback.extract_tb(error.__traceback__)
        if Path(frame.filename).is_relative_to(ROOT / "service")
    ]
    return ours[-1] if ours else "an unknown place"
