"""A new SQLite database gets its write-ahead log with the first migration, not with the first visitor."""

from __future__ import annotations

from pathlib import Path

import pytest

from service.migrate import runner
from service.url import DatabaseUrl
from tests.support.migrations import rows, table, target, write


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path / "migrations", "001_a", table("a"))
    return tmp_path / "migrations"


def mode(url: DatabaseUrl) -> str:
    return str(rows(url, "PRAGMA journal_mode")[0][0])


@pytest.mark.parametrize("is_there", [False, True])
def test_a_database_that_holds_nothing_yet_gets_one(sqlite_url: DatabaseUrl, folder: Path, is_there: bool) -> None:
    path = Path(sqlite_url.name)
    path.unlink(missing_ok=True)
    if is_there:
        path.touch()
    runner.deploy(target(sqlite_url, folder))
    assert mode(sqlite_url) == "wal"


def test_a_database_that_holds_something_keeps_what_it_has(sqlite_url: DatabaseUrl, folder: Path) -> None:
    rows(sqlite_url, "CREATE TABLE kept (id INTEGER)")
    runner.deploy(target(sqlite_url, folder))
    assert mode(sqlite_url) == "delete"


def test_nothing_of_the_log_is_left_beside_the_file(sqlite_url: DatabaseUrl, folder: Path) -> None:
    runner.deploy(target(sqlite_url, folder))
    path = Path(sqlite_url.name)
    assert {found.name for found in path.parent.glob(f"{path.name}*")} == {path.name, f"{path.name}.migrate-lock"}


def test_who_asks_while_a_large_migration_is_at_work_is_answered(sqlite_url: DatabaseUrl, folder: Path) -> None:
    """With SQLite's other journal, a migration that is larger than the cache locks out everybody who reads."""
    many = "SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000"
    body = f"""
    migrator.sql("CREATE TABLE many AS WITH RECURSIVE n (i) AS ({many}) SELECT hex(randomblob(2000)) AS x FROM n")
    history = connect({sqlite_url.name!r}, timeout=0)
    migrator.run(lambda: asked.extend(history.execute("SELECT name FROM migratehistory")))
    migrator.run(lambda: Path({str(folder / "asked")!r}).write_text(str(asked)))
    """
    write(folder, "002_many", body, top="from pathlib import Path\nfrom sqlite3 import connect\n\nasked = []")
    runner.deploy(target(sqlite_url, folder))
    assert (folder / "asked").read_text("utf-8") == "[('001_a',)]"
