"""Is the live database what the migrations say, and do the models agree? Reads; repairs only by adding."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from service.migrate import files, plan
from service.migrate.applying.engine import Engine
from service.migrate.connection import Connection, connect, explain
from service.migrate.files import MigrationFile
from service.migrate.history import History
from service.migrate.proving import schema, shadow
from service.migrate.proving.schema import Snapshot, TableSchema
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
    `repair` is the SQL that would add what is missing."""

    database: str
    head: str
    compared: int
    drift: tuple[str, ...]
    checks: tuple[Check, ...]
    repair: tuple[str, ...]

    @property
    def is_clean(self) -> bool:
        return not self.drift and all(check.is_met for check in self.checks)


def verify(url: DatabaseUrl, folder: Path) -> Verification:
    """Compare the live schema with the applied migrations, replayed in a shadow, and run their own checks."""
    connection = connect(url, create=False)
    try:
        found = plan.make_plan(files.scan(folder), History(connection).read(), out_of_order=True)
        applied = [entry.file for entry in found.entries if entry.applied and entry.file]
        expected, live = shadow.snapshots(url, applied)[-1], schema.take(connection)
        return Verification(
            str(url),
            applied[-1].name if applied else "",
            len(schema.facts(expected)),
            tuple(schema.diff(expected, live)),
            tuple(check for file in applied for check in _checks(connection, file)),
            tuple(additions(expected, live, is_sqlite=url.is_sqlite)),
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


def additions(expected: Snapshot, live: Snapshot, *, is_sqlite: bool) -> list[str]:
    """SQL for the tables, columns and indexes that `live` lacks; nothing that exists is touched."""
    statements: list[str] = []
    for name, table in sorted(expected.tables.items(), key=lambda item: _depth(item[0], expected)):
        there = live.tables.get(name)
        if there is None:
            statements.append(_create_table(name, table))
        else:
            missing = sorted(table.columns.keys() - there.columns.keys())
            statements += [
                f'ALTER TABLE "{name}" ADD COLUMN {_column(column, table.columns[column])}' for column in missing
            ]
        indexes = table.indexes - (there.indexes if there else set())
        statements += [_create_index(name, shape, is_sqlite=is_sqlite) for shape in sorted(indexes)]
    return statements


def _checks(connection: Connection, file: MigrationFile) -> Iterable[Check]:
    if file.is_sql or "verify" not in files.outline(file).functions:
        return
    try:
        for label, found, expected in files.load(file).verify(Engine(connection, ()).database):  # type: ignore[misc]
            yield Check(file.name, label, int(found), int(expected))
    except Exception as error:
        yield Check(file.name, f"its verify function failed: {explain(error)}", 0, 1)


def _create_table(name: str, table: TableSchema) -> str:
    parts = [_column(column, text) for column, text in table.columns.items()]
    key = table.primary_key
    parts += [key if key.startswith("PRIMARY KEY") else f"PRIMARY KEY ({key})"] if key else []
    parts += [key if key.startswith("FOREIGN KEY") else f"FOREIGN KEY {key}" for key in sorted(table.foreign_keys)]
    return f'CREATE TABLE "{name}" ({", ".join([*parts, *sorted(table.checks)])}) {table.options}'.strip()


def _column(name: str, text: str) -> str:
    if "nextval(" in text:
        return f'"{name}" {"bigserial" if text.startswith("bigint") else "serial"}'
    return f'"{name}" {text}'


def _create_index(table: str, shape: str, *, is_sqlite: bool) -> str:
    unique, rest = ("UNIQUE ", shape.removeprefix("UNIQUE ")) if shape.startswith("UNIQUE ") else ("", shape)
    words = re.sub(r"\W+", "_", rest).strip("_").lower()
    name = f'"{table}_{words}" ' if is_sqlite else ""  # PostgreSQL finds a name by itself
    return f'CREATE {unique}INDEX {name}ON "{table}" {rest}'


def _depth(table: str, snapshot: Snapshot, seen: frozenset[str] = frozenset()) -> int:
    """How many tables must be there before this one, by its foreign keys."""
    keys = " ".join(snapshot.tables[table].foreign_keys)
    parents = {name.strip('"') for name in re.findall(r"REFERENCES (\w+|\"[^\"]+\")", keys)}
    parents = (parents & snapshot.tables.keys()) - seen - {table}
    return 1 + max((_depth(parent, snapshot, seen | {table}) for parent in parents), default=0)
