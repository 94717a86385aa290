"""How the worker writes its log: one line an event, in UTC, without secrets and without what people said."""

from __future__ import annotations

import logging
import time
import traceback
from pathlib import Path

import peewee as pw

from service.url import ROOT

# They log addresses, which hold the bot's token, and message texts; Peewee's are the values in its SQL.
_TALKATIVE = ("httpx", "httpcore", "telegram", "peewee")
_DATABASE_IS_GONE = (pw.OperationalError, pw.InterfaceError)


class RedactingFormatter(logging.Formatter):
    """Takes the secret out of the finished line, whoever wrote it there, traceback included."""

    def __init__(self, secret: str) -> None:
        super().__init__("%(asctime)sZ %(levelname)s %(message)s", "%Y-%m-%dT%H:%M:%S")
        self.converter = time.gmtime
        self._secret = secret

    def format(self, record: logging.LogRecord) -> str:
        line = super().format(record)
        return line.replace(self._secret, "…") if self._secret else line


def configure(level: str, secret: str) -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(RedactingFormatter(secret))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)


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
