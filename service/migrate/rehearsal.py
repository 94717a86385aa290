"""What a deploy would run, statement by statement, and whom it would keep waiting: rehearsed in the shadow, and nothing
of it stays."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from service.migrate import connection, files, runner
from service.migrate.applying import settings
from service.migrate.errors import BrokenScript, Problem, Refused
from service.migrate.files import MigrationFile
from service.migrate.history import History
from service.migrate.proving import shadow
from service.migrate.rehearsing import sizes, sqlite, telling
from service.migrate.rehearsing.touch import Observed, Size, Touch
from service.url import DatabaseUrl

# What the verbs look up before they say what they do, and Peewee's frames. What a migration in Python reads for itself
# is not shown either.
_ASIDE = re.compile(
    r"\s*(SELECT|PRAGMA|WITH|VALUES|EXPLAIN|SHOW|SAVEPOINT|RELEASE)\b"
    r"(?!.*\b(INSERT|(?<!FOR )(?<!KEY )UPDATE|DELETE)\b)",
    re.IGNORECASE | re.DOTALL,
)
_COMMENT = re.compile(r"--[^\n]*")  # all that is said of a backfill
Observe = Callable[[MigrationFile, str], Observed]


@dataclass(frozen=True)
class Statement:
    """As the migration says it, with a mark for each parameter; what it does to tables that are in use, or why nobody
    could look; and in sentences what of that somebody may notice."""

    sql: str
    tables: tuple[Touch, ...] = ()
    untried: str = ""
    notes: tuple[str, ...] = ()

    @property
    def is_slow(self) -> bool:
        """Of a large table that is worked through while others go on, nothing is told."""
        return bool(self.notes) and any(touch.takes_long for touch in self.tables)


@dataclass(frozen=True)
class Part:
    """One pending migration."""

    migration: str
    atomic: bool
    breaking: bool
    statements: tuple[Statement, ...]


@dataclass(frozen=True)
class Rehearsal:
    """`applied` are those that the database has already; so many `slow` statements are told to work through a large
    table."""

    database: str
    applied: tuple[str, ...]
    pending: tuple[Part, ...]
    slow: int


def rehearse(url: DatabaseUrl, folder: Path, *, wait: float = 0.0, out_of_order: bool = False) -> Rehearsal:
    """Decide as a deploy does, and run what is pending on empty tables. Raises Refused where a deploy would, or where
    a migration fails there, and BrokenScript where one that is applied can't be run there."""
    found = files.scan(folder)
    with closing(connection.connect(url, wait=wait, create=False)) as database:
        decided = runner.decide(found, History(database).read(), out_of_order=out_of_order)
        live = sizes.read(database) if decided.pending else {}
    before = [entry.file for entry in decided.entries if entry.applied and entry.file]
    heard = _heard(url, live, before, decided.pending) if decided.pending else []
    parts = tuple(_part(file, seen, is_sqlite=url.is_sqlite) for file, seen in heard)
    slow = sum(each.is_slow for part in parts for each in part.statements)
    return Rehearsal(str(url), tuple(file.name for file in before), parts, slow)


def _heard(
    url: DatabaseUrl, live: Mapping[str, Size], before: list[MigrationFile], pending: tuple[MigrationFile, ...]
) -> list[tuple[MigrationFile, list[Observed]]]:
    with shadow.scratch(url) as place:
        for file in before:
            shadow.play(place, file)
        with _observing(place, live) as observe:
            return [(file, _played(place, file, partial(observe, file))) for file in pending]


def _played(place: shadow.Scratch, file: MigrationFile, observe: Callable[[str], Observed]) -> list[Observed]:
    said: list[Observed] = []

    def hear(sql: str) -> None:
        if file.is_sql or not _ASIDE.match(sql):
            settings.refuse_to_lose(place.connection, place.engine.database_of(file), sql, place.names.live)
            text = sql.strip().rstrip(";")
            said.append(Observed(text) if _COMMENT.fullmatch(text) else observe(text))

    try:
        shadow.play(place, file, hear)
    except BrokenScript as error:
        what = f"{file.path.name} fails on empty tables: {error.reason}."
        remedy = "Correct it; or, if it only lacks rows there, deploy: what fails is rolled back."
        raise Refused([Problem(file.name, what, remedy)]) from error
    except Refused as error:
        raise Refused([Problem(file.name, f"{file.path.name} would be refused.", str(error))]) from error
    return said


@contextmanager
def _observing(place: shadow.Scratch, live: Mapping[str, Size]) -> Iterator[Observe]:
    if place.connection.is_sqlite:
        yield lambda file, sql: sqlite.observe(place.connection, live, place.engine.database_of(file).rebuilt, sql)
        return
    from service.migrate.rehearsing.postgresql import Beside  # here, so that SQLite users do not need the driver

    with closing(Beside(place, live)) as beside:
        yield lambda _file, sql: beside.observe(sql)


def _part(file: MigrationFile, seen: list[Observed], *, is_sqlite: bool) -> Part:
    outline = files.outline(file)
    notes = telling.told(seen, atomic=outline.atomic, is_sqlite=is_sqlite)
    statements = [Statement(each.sql, each.touches, each.untried, said) for each, said in zip(seen, notes, strict=True)]
    return Part(file.name, outline.atomic, outline.breaking, tuple(statements))
