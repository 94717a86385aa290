"""Is the live database what the migrations say, and do the models agree? Reads; repairs only by adding."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from service.migrate import files, plan
from service.migrate.applying.engine import Engine
from service.migrate.connection import Connection, connect, explain
from service.migrate.files import MigrationFile
from service.migrate.history import History
from service.migrate.proving import schema, shadow
from service.migrate.proving.additions import additions
from service.migrate.proving.snapshot import diff, facts
from service.url import DatabaseUrl


@dataclass(frozen=True)
class Check:
    """What a migration's own `verify` counted: so many, of so many that there should be."""

    migration: str
    label: str
    found: int
    expected: int

    @property
    def is_met(self) -> bool:
        return self.found == self.expected


@dataclass(frozen=True)
class Verification:
    """`drift` says how the live schema differs from what `head` and those before it make, of `compared` things;
    `repair` is the SQL that would add what is missing. `unknown` are applied and have no file here: what they made
    differs, and what they took away is not to be added again."""

    database: str
    head: str
    compared: int
    drift: tuple[str, ...]
    checks: tuple[Check, ...]
    repair: tuple[str, ...]
    unknown: tuple[str, ...] = ()

    @property
    def is_clean(self) -> bool:
        return not self.drift and all(check.is_met for check in self.checks)


def verify(url: DatabaseUrl, folder: Path) -> Verification:
    """Compare the live schema with the applied migrations, replayed in a shadow, and run their own checks."""
    connection = connect(url, create=False)
    try:
        found = plan.make_plan(files.scan(folder), History(connection).read(), out_of_order=True)
        applied = [entry.file for entry in found.entries if entry.applied and entry.file]
        states = shadow.snapshots(url, applied)
        expected, live = states[-1], schema.take(connection, schema.beside(states))
        unknown = tuple(entry.name for entry in found.entries if entry.file is None)
        missing = [] if unknown else additions(expected, live, is_sqlite=url.is_sqlite)
        return Verification(
            str(url),
            applied[-1].name if applied else "",
            len(facts(expected)),
            tuple(diff(expected, live)),
            tuple(check for file in applied for check in _checks(connection, file)),
            tuple(missing),
            unknown,
        )
    finally:
        connection.close()


def repair(url: DatabaseUrl, statements: Iterable[str]) -> None:
    """Run the additions in one transaction."""
    connection = connect(url)
    try:
        with connection.transaction():
            for statement in statements:
                connection.execute(statement)
    finally:
        connection.close()


def _checks(connection: Connection, file: MigrationFile) -> Iterable[Check]:
    if file.is_sql or "verify" not in files.outline(file).functions:
        return
    try:
        for label, found, expected in files.load(file).verify(Engine(connection, ()).database):  # type: ignore[misc]
            yield Check(file.name, label, int(found), int(expected))
    except Exception as error:
        yield Check(file.name, f"its verify function failed: {explain(error)}", 0, 1)
