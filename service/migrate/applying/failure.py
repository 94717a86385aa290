"""What a person reads when a migration fails: which file, which line, which statement, what remains, and what to do."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from service.migrate import advice
from service.migrate.applying import contention
from service.migrate.applying.engine import line_of_traceback
from service.migrate.applying.transaction import LOST
from service.migrate.connection import explain, is_driver_error, role_in_force
from service.migrate.errors import WAYS_OUT, MigrateError, MigrationFailed
from service.migrate.files import MigrationFile
from service.url import DatabaseUrl

if TYPE_CHECKING:
    from service.migrate.backfilling.tally import Tally

# What is being done, and how a person asks for it once more.
AGAIN = {"deploy": "deploy again", "rollback": "roll back again"}
# What the tools around a database understand and the database does not.
_OF_TOOLS = (
    (r'at or near "\\"', "A line that begins with a backslash is psql's own command: say it in SQL."),
    (
        r"can't execute COPY",
        "Rows that stand in the file are for psql alone: write them as INSERT, as `pg_dump --inserts` does.",
    ),
    (
        r'at or near ":"|token: ":"|number of bindings|value for binding',  # the last two as Python's version has it
        "A name behind a colon is a variable of psql's: write its value instead.",
    ),
    (r'near "GO"|option: GO', "GO is a word of SQL Server's tools: end each statement with a semicolon instead."),
    (
        r'near "DELIMITER"',
        "DELIMITER is a word of MySQL's client: take it out, and end each statement with a semicolon.",
    ),
)
# What is prepared, or a cursor, is no part of a schema.
_ALREADY_THERE = r"^(?!prepared|cursor).*(already exists|duplicate column)"
_NOTHING = "it was rolled back and nothing of it remains."
_ENDED = (
    "Look at the database and undo by hand what stands. Then take commit and rollback out of the file, or write "
    "`atomic = False` at its top, so that each of its steps is committed by the runner."
)


class Place:
    """Where in which migration the work is; `command` is what was asked for, deploy or rollback. The migration
    `has_ended` its transaction, where it did that itself."""

    def __init__(self, file: MigrationFile, command: str = "deploy") -> None:
        self.file, self.command = file, command
        self.line = self.done = self.total = 0
        self.tally: Tally | None = None
        self.blockers: Sequence[str] = ()
        self.has_ended = False


def of(error: BaseException, place: Place, statement: str, url: DatabaseUrl, *, is_atomic: bool) -> MigrationFailed:
    """One message of whatever a migration raised."""
    file = place.file
    path = file.down if place.command == "rollback" and file.down else file.path
    line = line_of_traceback(error.__traceback__, str(path)) or place.line
    blockers, reason = place.blockers if contention.is_contention(error) else [], _reason(error)
    hint = _ended(place) if place.has_ended else _hint(file, reason, blockers, place.command, url)
    return MigrationFailed(
        file.name,
        f"{path.name}, line {line}" if line else path.name,
        statement,
        reason,
        _NOTHING if is_atomic and not place.has_ended else what_stands(place),
        hint,
    )


def _reason(error: BaseException) -> str:
    """What Python raises says little without its name: `KeyError: 'bots'`."""
    said = explain(error)
    is_clear = isinstance(error, MigrateError) or is_driver_error(error) or said == type(error).__name__
    return said if is_clear else f"{type(error).__name__}: {said}"


def _ended(place: Place) -> str:
    if place.command == "rollback" or place.total:
        return f"Look at the database. {WAYS_OUT[place.command].format(place.file.name)}"
    return _ENDED


def what_stands(place: Place) -> str:
    if place.has_ended:
        return "some of it may be gone." if place.command == "rollback" else "some of it may stand."
    parts = [f"steps 1 to {place.done} of {place.total}"] if place.done else []
    if place.tally and place.tally.done:
        parts += [f"{place.tally.done:,} of {place.tally.total:,} rows of {place.tally.table}"]
    if not parts:
        return "it is not atomic, and none of its steps is known to stand."
    what = "the steps of its rollback: " if place.command == "rollback" else ""
    return f"it is not atomic: {what}{' and '.join(parts)} stand, and the next {place.command} goes on after them."


def _hint(file: MigrationFile, reason: str, blockers: Sequence[str], command: str, url: DatabaseUrl) -> str:
    again = AGAIN[command]
    if reason.startswith(LOST):
        then = f", and {again}{_although_edited(command)}" if command == "rollback" else ""
        flag = "-- touches: …" if file.is_sql else 'touches = ["…"]'
        return f"If that is meant, name it at the top of {file.path.name}: {flag}{then}"
    if blockers:
        then = f"{again.capitalize()} when that has ended, or allow more with --attempts."
        return f"Blocked by {'; '.join(blockers)}. {then}"
    if "read-only transaction" in reason or "readonly database" in reason:
        return "With `atomic = False` the body only collects steps: change things by migrator.sql or migrator.run."
    if re.search(
        r"terminating connection(?! due to transaction timeout)|server closed the connection|connection already closed",
        reason,
    ):
        return f"The connection to the database was lost: {again}, which goes on from there."
    if re.search("inside a transaction|from within a transaction|invalid transaction termination", reason):
        return f"It has to be outside of a transaction: {_in_steps(file)}."
    if "unsafe use of new value" in reason:
        add = "add it in a migration before this one"
        return f"A new value of an enum may be used once it is committed: {add}, or {_in_steps(file)}."
    if file.is_sql and (way_out := next((told for said, told in _OF_TOOLS if re.search(said, reason)), "")):
        return way_out
    if command == "deploy" and re.search(_ALREADY_THERE, reason):
        return (
            "If the database already has all that this migration makes, record it: "
            f"migrate resolve --applied {file.name} (or see how far it is: migrate resolve --detect)"
        )
    return advice.on_working(reason, url, role_in_force) or _correct(file, command)


def _in_steps(file: MigrationFile) -> str:
    flag = "-- atomic: false" if file.is_sql else "atomic = False"
    return f"write `{flag}` at the top of {file.path.name}"


def _correct(file: MigrationFile, command: str) -> str:
    if command == "rollback" and file.down:
        return f"Correct {file.down.name} and {AGAIN[command]}{_although_edited(command)}"
    return f"Correct {file.path.name} and {AGAIN[command]}{_although_edited(command) or '.'}"


def _although_edited(command: str) -> str:
    """A file that is corrected for its rollback is another than the one that was applied."""
    return ': `migrate rollback --force --why "…"`.' if command == "rollback" else ""
