"""One stage for two runners, ours and stock peewee-migrate: the same files, the same database, and what came of it.

A hazard is a scenario with two outcomes. Stock's is asserted too: when upstream mends it, the test says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import peewee as pw
import pytest
from peewee_migrate import Router

from service.migrate import runner
from service.migrate.drafting import draft
from service.migrate.drafting.renames import Wishes
from service.migrate.errors import MigrateError
from service.url import DatabaseUrl
from tests.support import migrations
from tests.support.migrations import target

Who = Literal["ours", "stock"]
WHO: tuple[Who, ...] = ("ours", "stock")
# What a migration under test does while it runs, since a file can't be handed a function.
MEANWHILE: list[Callable[[], object]] = []


@dataclass(frozen=True)
class Stage:
    """What each verb returns is what was said: empty where all went well."""

    who: Who
    url: DatabaseUrl
    folder: Path

    def write(self, name: str, migrate: str = "pass", rollback: str | None = None, *, top: str = "") -> Path:
        return migrations.write(self.folder, name, migrate, rollback, top=top)

    def deploy(self, **options: Any) -> str:
        if self.who == "ours":
            return _said(lambda: runner.deploy(target(self.url, self.folder, **options)))
        with self.router() as router:
            return _said(router.run)

    def roll_back(self) -> str:
        if self.who == "ours":
            return _said(lambda: runner.rollback(target(self.url, self.folder), confirm=lambda _names: None))
        with self.router() as router:
            return _said(router.rollback)

    def draft(self, *models: type[pw.Model]) -> str:
        """Write the migration that leads to these models; an empty text where there is nothing to write."""
        if self.who == "ours":
            written = draft.create(self.url, self.folder, "auto", list(models), Wishes())
            return written.path.name if written else ""
        with self.router() as router:
            return router.create("auto", auto=list(models)) or ""

    @contextmanager
    def router(self) -> Iterator[Router]:
        """Stock's own, on a connection of its own."""
        database = stock_database(self.url)
        try:
            yield Router(database, migrate_dir=self.folder)
        finally:
            database.close()

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        return migrations.rows(self.url, sql)

    def tables(self) -> set[str]:
        return migrations.tables(self.url) - {"migratehistory", "migratejournal"}

    def history(self) -> list[str]:
        return migrations.applied(self.url) if "migratehistory" in migrations.tables(self.url) else []


@dataclass(frozen=True)
class Hazard:
    """The outcome of a scenario with our runner, and with stock's."""

    scenario: Callable[[Stage], object]
    engine: str
    ours: object
    stock: object

    def played(self, who: Who, request: pytest.FixtureRequest, place: Path) -> object:
        """What came of it, on an empty database."""
        url: DatabaseUrl = request.getfixturevalue(f"{self.engine}_url")
        (place / "migrations").mkdir()
        return self.scenario(Stage(who, url, place / "migrations"))

    def outcome(self, who: Who) -> object:
        return self.ours if who == "ours" else self.stock


class Hazards(list[Hazard]):
    """Those of one test module, in the order in which they are written."""

    def add(self, *engines: str, ours: object, stock: object) -> Callable[[Callable[[Stage], object]], object]:
        def note(scenario: Callable[[Stage], object]) -> object:
            self.extend(Hazard(scenario, engine, ours, stock) for engine in engines)
            return scenario

        return note

    def each(self) -> Callable[[Callable[..., None]], Callable[..., None]]:
        """Every one of them, once with each runner."""
        names = [f"{hazard.scenario.__name__}-{hazard.engine}" for hazard in self]
        hazards = pytest.mark.parametrize("hazard", self, ids=names)
        runners = pytest.mark.parametrize("who", WHO)
        return lambda test: runners(hazards(test))


def stock_database(url: DatabaseUrl) -> pw.Database:
    if url.is_sqlite:
        return pw.SqliteDatabase(url.name, pragmas={"foreign_keys": 1})
    return pw.PostgresqlDatabase(url.name, host=url.host, port=url.port, user=url.user)


def _said(work: Callable[[], Sequence[Any] | None]) -> str:
    try:
        work()
    except (MigrateError, Exception) as error:
        return f"{type(error).__name__}: {error}"
    return ""
