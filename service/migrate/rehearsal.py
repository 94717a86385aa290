"""What a deploy would run, statement by statement: rehearsed in the shadow, and nothing of it stays."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from service.migrate import connection, files, runner
from service.migrate.errors import BrokenScript, Problem, Refused
from service.migrate.files import MigrationFile
from service.migrate.history import History
from service.migrate.proving import shadow
from service.url import DatabaseUrl

# What the verbs look up before they say what they do, and Peewee's frames. What a migration in Python reads for itself
# is not shown either.
_ASIDE = re.compile(
    r"\s*(SELECT|PRAGMA|WITH|VALUES|EXPLAIN|SHOW|SAVEPOINT|RELEASE)\b"
    r"(?!.*\b(INSERT|(?<!FOR )(?<!KEY )UPDATE|DELETE)\b)",
    re.IGNORECASE | re.DOTALL,
)


@dataclass(frozen=True)
class Part:
    """One pending migration; `statements` as it says them, with a mark for each parameter."""

    migration: str
    atomic: bool
    breaking: bool
    statements: tuple[str, ...]


@dataclass(frozen=True)
class Rehearsal:
    """`applied` are those that the database has already."""

    database: str
    applied: tuple[str, ...]
    pending: tuple[Part, ...]


def rehearse(url: DatabaseUrl, folder: Path, *, wait: float = 0.0, out_of_order: bool = False) -> Rehearsal:
    """Decide as a deploy does, and run what is pending on empty tables. Raises Refused where a deploy would, or where
    a migration fails there, and BrokenScript where one that is applied can't be run there."""
    found = files.scan(folder)
    database = connection.connect(url, wait=wait, create=False)
    try:
        decided = runner.decide(found, History(database).read(), out_of_order=out_of_order)
    finally:
        database.close()
    before = [entry.file for entry in decided.entries if entry.applied and entry.file]
    parts = _parts(url, before, decided.pending) if decided.pending else ()
    return Rehearsal(str(url), tuple(file.name for file in before), parts)


def _parts(url: DatabaseUrl, before: list[MigrationFile], pending: tuple[MigrationFile, ...]) -> tuple[Part, ...]:
    with shadow.scratch(url) as place:
        for file in before:
            shadow.play(place, file)
        return tuple(_part(place, file) for file in pending)


def _part(place: shadow.Scratch, file: MigrationFile) -> Part:
    said: list[str] = []
    try:
        shadow.play(place, file, said.append)
    except BrokenScript as error:
        what = f"{file.path.name} fails on empty tables: {error.reason}."
        remedy = "Correct it; or, if it only lacks rows there, deploy: what fails is rolled back."
        raise Refused([Problem(file.name, what, remedy)]) from error
    statements = [sql.strip().rstrip(";") for sql in said if file.is_sql or not _ASIDE.match(sql)]
    outline = files.outline(file)
    return Part(file.name, outline.atomic, outline.breaking, tuple(statements))
