"""May this process start on this database? Cheap: it reads file names and the history, and no schema."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from service.migrate import connection, files, plan
from service.migrate.errors import DatabaseUnreachable
from service.migrate.history import History
from service.url import DatabaseUrl

_PAUSE = 1.0
_NAMED = 3


class Verdict(NamedTuple):
    """`reason` is one sentence; `pending` names what the database does not have yet."""

    is_open: bool
    pending: tuple[str, ...]
    reason: str


def judge(decided: plan.Plan) -> Verdict:
    """Open where this release can work: also on a database that is ahead of it, unless that broke with the past."""
    pending = tuple(file.name for file in decided.pending)
    if decided.problems:
        return Verdict(False, pending, " ".join(map(str, decided.problems)))
    if pending:
        return Verdict(False, pending, f"The schema is not current: {_missing(pending)}.")
    return Verdict(True, (), "The schema is current.")


def _missing(pending: tuple[str, ...]) -> str:
    """Few by their names; on the first start it is all of them."""
    if len(pending) <= _NAMED:
        return f"{', '.join(pending)} missing"
    return f"{len(pending)} migrations missing, from {pending[0]} to {pending[-1]}"


def check(url: DatabaseUrl, folder: Path) -> Verdict:
    """Ask once. Raises DatabaseUnreachable, and Refused for a folder that misleads."""
    found = files.scan(folder)
    database = connection.connect(url, create=False)
    try:
        return judge(plan.make_plan(found, History(database).read()))
    finally:
        database.close()


def wait(
    url: DatabaseUrl, folder: Path, seconds: float, *, on_wait: Callable[[str], None] = lambda _reason: None
) -> Verdict:
    """Ask until the gate opens or `seconds` are over; `on_wait` hears each new reason once."""
    deadline, told, attempts = time.monotonic() + seconds, "", 0
    while True:
        attempts += 1
        failure: DatabaseUnreachable | None = None
        try:
            verdict = check(url, folder)
        except DatabaseUnreachable as error:
            failure = DatabaseUnreachable(error.database, error.reason, attempts, error.advice)
            verdict = Verdict(False, (), f"the database can't be reached: {error.reason}")
        if verdict.is_open or time.monotonic() + _PAUSE > deadline:
            if failure:
                raise failure
            return verdict
        if verdict.reason != told:
            told = verdict.reason
            on_wait(verdict.reason)
        time.sleep(_PAUSE)
