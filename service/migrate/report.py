"""What there is to say about a database's migrations, read in one go, for `migrate status` and for the panel."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from service.migrate import adoption, connection, files, plan
from service.migrate.connection import Connection
from service.migrate.errors import Problem
from service.migrate.files import MigrationFile
from service.migrate.history import History
from service.migrate.ledger import Attempt
from service.url import MEMORY, DatabaseUrl


class Entry(NamedTuple):
    name: str
    state: plan.State
    applied_at: datetime | None = None
    duration_ms: int | None = None
    release: str | None = None
    origin: str | None = None
    checksum: str | None = None
    waited_ms: int | None = None


class Report(NamedTuple):
    """`entries` by number, `attempts` newest first, `problems` with their remedies; `advice` on a database that
    somebody else made, else empty. `is_missing`: an SQLite file that is not there yet, as a mistaken path is not."""

    database: str
    entries: tuple[Entry, ...]
    problems: tuple[Problem, ...]
    attempts: tuple[Attempt, ...]
    is_current: bool
    advice: str = ""
    is_missing: bool = False

    @property
    def pending(self) -> tuple[str, ...]:
        return tuple(entry.name for entry in self.entries if entry.state == "pending")

    def as_json(self) -> dict[str, Any]:
        """Plain values, times in ISO 8601."""
        return {
            "database": self.database,
            "is_current": self.is_current,
            "pending": list(self.pending),
            "migrations": [_plain(entry._asdict()) for entry in self.entries],
            "advice": self.advice,
            "problems": [problem._asdict() for problem in self.problems],
        }


def read(url: DatabaseUrl, folder: Path, *, wait: float = 0.0) -> Report:
    """Read history and journal; changes nothing. Raises DatabaseUnreachable, and Refused for a folder that misleads."""
    found = files.scan(folder)
    database = connection.connect(url, wait=wait, create=False)
    try:
        return _report(database, found)
    finally:
        database.close()


def of(database: Connection, folder: Path) -> Report:
    """The same over a connection that is there already."""
    return _report(database, files.scan(folder))


def _report(database: Connection, found: tuple[MigrationFile, ...]) -> Report:
    history = History(database)
    ledger = history.read()
    decided = plan.make_plan(found, ledger)
    attempts = history.attempts() if ledger.is_ours else ()
    advice = adoption.advice(database, ledger)
    entries = tuple(_entry(entry) for entry in decided.entries)
    is_missing = _is_missing(database.url)
    return Report(str(database.url), entries, decided.problems, attempts, decided.is_current, advice, is_missing)


def journal(url: DatabaseUrl, folder: Path, name: str = "", *, limit: int) -> tuple[Attempt, ...]:
    """The newest attempts first, at all migrations or at the one that a person means by `name`. Raises as `read`."""
    found = files.scan(folder)
    database = connection.connect(url, create=False)
    try:
        history = History(database)
        names = sorted({*(file.name for file in found), *(row.name for row in history.read().applied)})
        return history.attempts(limit, plan.resolve_name(name, names) if name else "")
    finally:
        database.close()


def attempt_as_json(attempt: Attempt) -> dict[str, Any]:
    return _plain(attempt._asdict() | {"waits": [wait._asdict() for wait in attempt.waits]})


def _is_missing(url: DatabaseUrl) -> bool:
    return url.is_sqlite and url.name != MEMORY and not Path(url.name).exists()


def _entry(entry: plan.Entry) -> Entry:
    row = entry.applied
    if row is None:
        return Entry(entry.name, entry.state, checksum=entry.file.checksum if entry.file else None)
    return Entry(
        entry.name,
        entry.state,
        row.applied_at,
        row.duration_ms,
        row.release,
        row.origin,
        row.checksum,
        row.waited_ms,
    )


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    return {key: value.isoformat() if isinstance(value, datetime) else value for key, value in values.items()}
