"""What stock peewee-migrate does to the process around it, and to PostgreSQL's own types: ours does not."""

from __future__ import annotations

import logging
import threading
from pathlib import Path

import peewee as pw
import pytest

from service.migrate import runner
from service.migrate.errors import MigrationFailed
from service.url import DatabaseUrl
from tests.support.migrations import applied, rows, table, target, write

ORIGINALS = (pw.Model.select, pw.Database.execute_sql)


def test_a_replay_patches_nothing_that_other_threads_use(database_url: DatabaseUrl, tmp_path: Path) -> None:
    folder = tmp_path / "m"
    body = """
    import threading
    if fake:
        threading.seen_while_replaying = (pw.Model.select.__func__, pw.Database.execute_sql)
    """
    write(folder, "001_a", body + "\n    " + table("a"))
    runner.deploy(target(database_url, folder))
    write(folder, "002_b", "list(migrator.orm)")
    runner.deploy(target(database_url, folder))
    seen = threading.__dict__.pop("seen_while_replaying")
    assert seen == (ORIGINALS[0].__func__, ORIGINALS[1])  # type: ignore[attr-defined]


def test_two_databases_can_be_deployed_to_in_turn(
    sqlite_url: DatabaseUrl, postgresql_url: DatabaseUrl, tmp_path: Path
) -> None:
    folder = tmp_path / "m"
    for number, name in enumerate("abc", start=1):
        write(folder, f"00{number}_{name}", table(name))
        runner.deploy(target(sqlite_url, folder))
        runner.deploy(target(postgresql_url, folder))
    assert applied(sqlite_url) == applied(postgresql_url) == ["001_a", "002_b", "003_c"]


def test_a_value_can_be_added_to_an_enum_and_used(postgresql_url: DatabaseUrl, tmp_path: Path) -> None:
    (tmp_path / "001_moods.sql").write_text("CREATE TYPE mood AS ENUM ('calm'); CREATE TABLE a (m mood);")
    use = "ALTER TYPE mood ADD VALUE 'merry'; INSERT INTO a VALUES ('merry');"
    (tmp_path / "002_merry.sql").write_text(use)
    with pytest.raises(MigrationFailed, match="unsafe use of new value"):
        runner.deploy(target(postgresql_url, tmp_path))
    (tmp_path / "002_merry.sql").write_text(f"-- atomic: false\n{use}")
    runner.deploy(target(postgresql_url, tmp_path))
    assert rows(postgresql_url, "SELECT m FROM a") == [("merry",)]


def test_values_of_a_migration_are_not_logged(
    database_url: DatabaseUrl, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    body = f"""
    {table("a", "x VARCHAR(40)")}
    mark = "?" if isinstance(database, pw.SqliteDatabase) else "%s"
    migrator.sql(f"INSERT INTO a (id, x) VALUES ({{mark}}, {{mark}})", 1, "hunter2")
    """
    write(tmp_path / "m", "001_a", body)
    with caplog.at_level(logging.INFO):
        runner.deploy(target(database_url, tmp_path / "m"))
    assert rows(database_url, "SELECT x FROM a") == [("hunter2",)]
    assert "hunter2" not in caplog.text


def test_a_failure_does_not_show_the_values_of_the_statement(database_url: DatabaseUrl, tmp_path: Path) -> None:
    body = f"""
    {table("a", "x VARCHAR(40) UNIQUE")}
    mark = "?" if isinstance(database, pw.SqliteDatabase) else "%s"
    for number in (1, 2):
        migrator.sql(f"INSERT INTO a (id, x) VALUES ({{mark}}, {{mark}})", number, "hunter2")
    """
    write(tmp_path / "m", "001_a", body)
    with pytest.raises(MigrationFailed) as failure:
        runner.deploy(target(database_url, tmp_path / "m"))
    assert "hunter2" not in str(failure.value)
    assert "unique" in str(failure.value).lower()
    assert rows(database_url, "SELECT count(*) FROM migratejournal WHERE error LIKE '%hunter2%'") == [(0,)]
