"""Do tables that migrations made agree with the models? Decided from snapshots of both, made in shadows."""

from __future__ import annotations

import re
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, replace

import peewee as pw

from service.migrate.altering import shape
from service.migrate.altering.shape import Column, Table, Tables
from service.migrate.applying import engine
from service.migrate.drafting import develop
from service.migrate.drafting.order import creation_order
from service.migrate.files import MigrationFile
from service.migrate.proving import shadow
from service.migrate.proving.snapshot import Snapshot, TableSchema, diff
from service.url import DatabaseUrl

# Behind the type, where a name may be quoted.
_COLLATION = re.compile(r" COLLATE (\"[^\"]+\"|\w+)")
_BOOLEANS = {"TRUE": "1", "FALSE": "0"}


@dataclass(frozen=True)
class Ground:
    """The schema that the migrations make (`before`), the models as they are replayed (`replayed`: without what a
    migration made by SQL), and the models as they are (`target`)."""

    before: Snapshot
    replayed: Snapshot
    target: Snapshot
    is_sqlite: bool


def look(url: DatabaseUrl, found: Sequence[MigrationFile], models: list[type[pw.Model]]) -> Ground:
    state = list(engine.replay(found, is_sqlite=url.is_sqlite).orm)
    return Ground(
        shadow.snapshots(url, found)[-1],
        shadow.made_by(url, lambda database: _make(database, state)),
        shadow.made_by(url, lambda database: _make(database, models)),
        url.is_sqlite,
    )


def differences(ground: Ground, found: Snapshot, new: Tables) -> list[str]:
    """How `found`, which began as `ground.before`, differs from the models. Triggers, views and what SQL made beside
    the models' own things are no difference; nor is a server default that says the same as the Python default."""
    target, found = _comparable(ground.target, ground), _comparable(found, ground)
    for name in [name for name in found.tables if name not in target.tables and name not in ground.replayed.tables]:
        del found.tables[name]
    for name, table in target.tables.items():
        if name in found.tables:
            _forgive_sql(found.tables[name], table, ground, name)
            _forgive_defaults(found.tables[name], table, new.get(name))
    return diff(target, found)


def left_by_rollback(ground: Ground, back: Snapshot, old: Tables) -> list[str]:
    """How the schema after a rollback differs from the one before."""
    before, back = deepcopy(ground.before), deepcopy(back)
    for name, table in before.tables.items():
        if name in back.tables:
            _forgive_defaults(back.tables[name], table, old.get(name))
    return diff(before, back)


def without_what_sql_made(old: Tables, new: Tables, ground: Ground) -> Tables:
    """The models without the tables and columns that are there, though no replay knows them: nothing can be drafted for
    these, and nothing has to be where they are as the models want them."""
    there = ground.before.tables
    kept = {name: table for name, table in new.items() if name in old or name not in there}
    return {name: _known(table, old[name], there[name]) if name in there else table for name, table in kept.items()}


def _known(table: Table, old: Table, there: TableSchema) -> Table:
    unknown = {name for name in table.columns if name not in old.columns and name in there.columns}
    return replace(
        table,
        columns={name: column for name, column in table.columns.items() if name not in unknown},
        indexes=tuple(index for index in table.indexes if not unknown & set(index.columns)),
    )


def _make(database: pw.Database, models: list[type[pw.Model]]) -> None:
    """Make the models' tables. Foreign keys that close a circle wait until all tables are there."""
    order = creation_order(list(shape.of(models, is_sqlite=False).values()))
    closing = [table.columns[name].field for table, late in order for name in late]
    were_deferred = [each.deferred for each in closing]
    for each in closing:
        each.deferred = True
    try:
        with database.bind_ctx(models, bind_refs=False, bind_backrefs=False):
            develop.create_tables(database, models)
    finally:
        for each, was_deferred in zip(closing, were_deferred, strict=True):
            each.deferred = was_deferred


def _comparable(snapshot: Snapshot, ground: Ground) -> Snapshot:
    """Models have nothing that only SQL can make; SQLite keeps the text of an index as it was written."""
    found = Snapshot(deepcopy(snapshot.tables))
    for table in found.tables.values():
        table.triggers, table.rules, table.policies, table.row_security = set(), set(), set(), ""
        table.persistence = ""
        if ground.is_sqlite:
            table.indexes = {
                re.sub(r"\b(TRUE|FALSE)\b", lambda word: _BOOLEANS[word[0]], text) for text in table.indexes
            }
    return found


def _forgive_sql(found: TableSchema, target: TableSchema, ground: Ground, name: str) -> None:
    before, replayed = (
        _comparable(one, ground).tables.get(name, TableSchema()) for one in (ground.before, ground.replayed)
    )
    for kind in ("indexes", "checks", "foreign_keys"):
        made = getattr(before, kind) - getattr(replayed, kind)
        setattr(
            found, kind, {text for text in getattr(found, kind) if text not in made or text in getattr(target, kind)}
        )
    for column, text in target.columns.items():
        if column in found.columns and not _COLLATION.search(text):  # a model that names none takes any
            found.columns[column] = _COLLATION.sub("", found.columns[column], count=1)
    for column in before.columns.keys() - replayed.columns.keys() - target.columns.keys():
        found.columns.pop(column, None)


def _forgive_defaults(found: TableSchema, target: TableSchema, wanted: Table | None) -> None:
    for name, column in (wanted.columns if wanted else {}).items():
        text = found.columns.get(name, "")
        if _may_keep_default(column) and _without_default(text) == target.columns.get(name):
            found.columns[name] = target.columns[name]


def _may_keep_default(column: Column) -> bool:
    return bool(column.literal) and not column.default


def _without_default(text: str) -> str:
    return text.partition(" DEFAULT ")[0]
