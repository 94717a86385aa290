"""Databases whose history is missing, wrong or somebody else's; and going back."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from peewee_migrate import Router

from service.database import open_database
from service.migrate import runner
from service.migrate.errors import MigrationFailed, NotConfirmed, Refused, UnknownMigration
from service.url import DatabaseUrl
from tests.support.migrations import applied, rows, table, tables, target, write


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "migrations"
    for number, name in enumerate("abc", start=1):
        write(folder, f"00{number}_{name}", table(name), f'migrator.sql("DROP TABLE {name}")')
    return folder


def yes(_names: Sequence[str]) -> None:
    pass


def test_what_is_there_already_is_recorded_and_the_rest_deployed(database_url: DatabaseUrl, folder: Path) -> None:
    for name in "ab":
        rows(database_url, f"CREATE TABLE {name} (id INTEGER PRIMARY KEY)")
    with pytest.raises(MigrationFailed, match="migrate resolve --applied 001_a"):
        runner.deploy(target(database_url, folder))
    runner.resolve(target(database_url, folder), applied=["001_a", "002_b"])
    assert [event.migration for event in runner.deploy(target(database_url, folder)).done] == ["003_c"]
    origins = rows(database_url, "SELECT name, origin FROM migratehistory ORDER BY id")
    assert origins == [("001_a", "resolve"), ("002_b", "resolve"), ("003_c", "deploy")]


def test_resolving_twice_is_no_error(database_url: DatabaseUrl, folder: Path) -> None:
    rows(database_url, "CREATE TABLE a (id INTEGER PRIMARY KEY)")
    runner.resolve(target(database_url, folder), applied=["001_a"])
    outcome = runner.resolve(target(database_url, folder), applied=["001_a.py"])
    assert [event.kind for event in outcome.done] == ["unchanged"]
    assert applied(database_url) == ["001_a"]


def test_a_wrong_name_among_right_ones_records_none(database_url: DatabaseUrl, folder: Path) -> None:
    with pytest.raises(UnknownMigration, match="did you mean 002_b"):
        runner.resolve(target(database_url, folder), applied=["001_a", "002_bb"])
    assert "migratehistory" not in tables(database_url)


def test_what_was_undone_by_hand_runs_again(database_url: DatabaseUrl, folder: Path) -> None:
    runner.deploy(target(database_url, folder))
    rows(database_url, "DROP TABLE c")
    runner.resolve(target(database_url, folder), rolled_back=["003_c"])
    assert runner.deploy(target(database_url, folder)).newest == "003_c"
    assert "c" in tables(database_url)


def test_a_row_without_a_file_can_be_forgotten(database_url: DatabaseUrl, folder: Path) -> None:
    runner.deploy(target(database_url, folder))
    (folder / "002_b.py").unlink()
    with pytest.raises(Refused, match="migrate resolve --rolled-back 002_b"):
        runner.deploy(target(database_url, folder))
    runner.resolve(target(database_url, folder), rolled_back=["002_b"])
    assert runner.deploy(target(database_url, folder)).done == ()


def test_the_journal_remembers_who_resolved_what(database_url: DatabaseUrl, folder: Path) -> None:
    rows(database_url, "CREATE TABLE a (id INTEGER PRIMARY KEY)")
    runner.resolve(target(database_url, folder, release="v2"), applied=["001_a"])
    runner.resolve(target(database_url, folder), rolled_back=["001_a"])
    attempts = rows(database_url, "SELECT action, migration, state, release FROM migratejournal ORDER BY id")
    assert attempts == [("resolve", "001_a", "done", "v2"), ("forget", "001_a", "done", None)]


def test_a_database_that_peewee_migrate_ran_is_adopted_as_it_is(database_url: DatabaseUrl, folder: Path) -> None:
    database = open_database(database_url)
    Router(database, migrate_dir=folder).run("002_b")
    database.close()
    outcome = runner.deploy(target(database_url, folder))
    assert [event.migration for event in outcome.done] == ["003_c"]
    history = rows(database_url, "SELECT name, origin, length(checksum) FROM migratehistory ORDER BY id")
    assert history == [("001_a", "adopt", 64), ("002_b", "adopt", 64), ("003_c", "deploy", 64)]


def test_peewee_migrate_still_reads_our_history(database_url: DatabaseUrl, folder: Path) -> None:
    runner.deploy(target(database_url, folder))
    database = open_database(database_url)
    router = Router(database, migrate_dir=folder)
    assert router.diff == []
    assert router.done == ["001_a", "002_b", "003_c"]
    database.close()


def test_a_history_with_doubled_names_is_adopted_once(database_url: DatabaseUrl, folder: Path) -> None:
    """What four concurrent runs of the stock runner leave behind."""
    database = open_database(database_url)
    Router(database, migrate_dir=folder).run("001_a")
    database.close()
    rows(database_url, "INSERT INTO migratehistory (name, migrated_at) VALUES ('001_a', '2026-01-01 00:00:00')")
    runner.deploy(target(database_url, folder))
    assert applied(database_url) == ["001_a", "002_b", "003_c"]


def test_rolling_back_goes_one_step(database_url: DatabaseUrl, folder: Path) -> None:
    runner.deploy(target(database_url, folder))
    outcome = runner.rollback(target(database_url, folder), confirm=yes)
    assert [event.migration for event in outcome.done] == ["003_c"]
    assert outcome.newest == "002_b"
    assert "c" not in tables(database_url)
    assert applied(database_url) == ["001_a", "002_b"]


def test_rolling_back_to_a_migration_leaves_it_the_newest(database_url: DatabaseUrl, folder: Path) -> None:
    runner.deploy(target(database_url, folder))
    outcome = runner.rollback(target(database_url, folder), to="001_a", confirm=yes)
    assert [event.migration for event in outcome.done] == ["003_c", "002_b"]
    assert applied(database_url) == ["001_a"]
    assert runner.deploy(target(database_url, folder)).newest == "003_c"


def test_nothing_is_undone_without_a_yes(database_url: DatabaseUrl, folder: Path) -> None:
    def no(names: Sequence[str]) -> None:
        raise NotConfirmed(f"{', '.join(names)}?")

    runner.deploy(target(database_url, folder))
    with pytest.raises(NotConfirmed, match=r"002_b, 003_c\?"):
        runner.rollback(target(database_url, folder), to="001_a", confirm=no)
    assert applied(database_url) == ["001_a", "002_b", "003_c"]


def test_a_migration_without_a_way_back_keeps_its_row_and_its_table(database_url: DatabaseUrl, tmp_path: Path) -> None:
    write(tmp_path / "m", "001_a", table("a"))
    runner.deploy(target(database_url, tmp_path / "m"))
    way_out = r"001_a\.py has no function rollback\. Undo it in a new migration: `migrate create NAME`\.$"
    with pytest.raises(Refused, match=way_out):
        runner.rollback(target(database_url, tmp_path / "m"), confirm=yes)
    assert applied(database_url) == ["001_a"]
    assert "a" in tables(database_url)


def test_nothing_is_undone_where_one_of_them_has_no_way_back(database_url: DatabaseUrl, folder: Path) -> None:
    (folder / "002_b.py").unlink()
    write(folder, "002_b", table("b"))
    runner.deploy(target(database_url, folder))
    with pytest.raises(Refused, match="002_b can't be rolled back"):
        runner.rollback(target(database_url, folder), to="001_a", confirm=yes)
    assert applied(database_url) == ["001_a", "002_b", "003_c"]


def test_an_sql_migration_is_undone_by_its_down_file(database_url: DatabaseUrl, tmp_path: Path) -> None:
    (tmp_path / "001_a.sql").write_text("CREATE TABLE a (id INTEGER);")
    (tmp_path / "002_b.sql").write_text("CREATE TABLE b (id INTEGER);")
    (tmp_path / "001_a.down.sql").write_text("DROP TABLE a;")
    runner.deploy(target(database_url, tmp_path))
    with pytest.raises(Refused, match=r"there is no 002_b\.down\.sql beside it"):
        runner.rollback(target(database_url, tmp_path), confirm=yes)
    rows(database_url, "DROP TABLE b")
    runner.resolve(target(database_url, tmp_path), rolled_back=["002_b"])
    runner.rollback(target(database_url, tmp_path), confirm=yes)
    assert "a" not in tables(database_url)


def test_a_failed_rollback_leaves_everything(database_url: DatabaseUrl, tmp_path: Path) -> None:
    undo = 'migrator.sql("DROP TABLE a"); migrator.sql("DROP TABLE nowhere")'
    write(tmp_path / "m", "001_a", table("a"), undo)
    runner.deploy(target(database_url, tmp_path / "m"))
    with pytest.raises(MigrationFailed, match="it was rolled back and nothing of it remains"):
        runner.rollback(target(database_url, tmp_path / "m"), confirm=yes)
    assert applied(database_url) == ["001_a"]
    assert "a" in tables(database_url)


def test_what_a_newer_release_applied_can_not_be_undone_here(database_url: DatabaseUrl, folder: Path) -> None:
    runner.deploy(target(database_url, folder))
    (folder / "003_c.py").unlink()
    with pytest.raises(Refused, match="003_c has no file here"):
        runner.rollback(target(database_url, folder), confirm=yes)


def test_on_an_empty_database_there_is_nothing_to_undo(database_url: DatabaseUrl, folder: Path) -> None:
    assert runner.rollback(target(database_url, folder), confirm=yes).done == ()
