"""What undoes a migration in SQL stands in a file of its own, which should be the one that was there when it was
applied."""

from __future__ import annotations

from pathlib import Path

import pytest

from service.migrate import runner
from service.migrate.errors import MigrationFailed, Refused
from service.migrate.session import Outcome
from service.url import DatabaseUrl
from tests.support.migrations import applied, rows, tables, target

CORRECT = 'Correct 001_a.down.sql and roll back again: `migrate rollback --force --why "…"`.'


def roll_back(url: DatabaseUrl, folder: Path, **options: str) -> Outcome:
    return runner.rollback(target(url, folder), confirm=lambda _names: None, **options)


def test_a_failing_down_file_is_the_one_to_correct(database_url: DatabaseUrl, tmp_path: Path) -> None:
    (tmp_path / "001_a.sql").write_text("CREATE TABLE a (id INTEGER);")
    (tmp_path / "001_a.down.sql").write_text("DROP TABLE a;\n\nCREATE TABLE migratehistory (id INTEGER);")
    runner.deploy(target(database_url, tmp_path))
    with pytest.raises(MigrationFailed) as failure:
        roll_back(database_url, tmp_path)
    lines = str(failure.value).splitlines()
    assert (lines[1], lines[-1]) == ("  at 001_a.down.sql, line 3", CORRECT)
    (tmp_path / "001_a.down.sql").write_text("DROP TABLE a;")
    roll_back(database_url, tmp_path, forced_because="it made a table too many")
    assert applied(database_url) == []


@pytest.fixture
def pair(database_url: DatabaseUrl, tmp_path: Path) -> Path:
    """A migration in SQL that was applied, and then got another way back; returns that."""
    down = tmp_path / "m" / "001_a.down.sql"
    down.parent.mkdir()
    (tmp_path / "m" / "001_a.sql").write_text("CREATE TABLE a (id INTEGER); CREATE TABLE b (id INTEGER);")
    down.write_text("DROP TABLE a;\nDROP TABLE b;")
    runner.deploy(target(database_url, down.parent))
    down.write_text("DROP TABLE a;")
    return down


def test_a_down_file_that_was_edited_since_is_not_run(database_url: DatabaseUrl, pair: Path) -> None:
    with pytest.raises(Refused) as refusal:
        roll_back(database_url, pair.parent)
    assert str(refusal.value) == (
        "001_a.down.sql was edited after 001_a was applied. Restore the file; or, if what it says now does undo it, "
        'add --force --why "…", which the journal keeps.'
    )
    assert {"a", "b"} <= tables(database_url)
    roll_back(database_url, pair.parent, forced_because="b stays")
    assert {"a", "b"} & tables(database_url) == {"b"}


def test_line_ends_are_no_edit_and_a_restored_down_file_undoes(database_url: DatabaseUrl, pair: Path) -> None:
    pair.write_bytes(b"DROP TABLE a;\r\nDROP TABLE b;")
    roll_back(database_url, pair.parent)
    assert applied(database_url) == []


def test_deploys_do_not_mind_the_way_back(database_url: DatabaseUrl, pair: Path) -> None:
    assert runner.deploy(target(database_url, pair.parent)).done == ()


@pytest.mark.parametrize(
    "before",
    [
        "UPDATE migratehistory SET down_checksum = NULL",
        "ALTER TABLE migratehistory DROP COLUMN down_checksum",
    ],
    ids=["a row that another release wrote", "a history that another release made"],
)
def test_what_an_older_release_did_not_keep_is_in_nobodys_way(
    database_url: DatabaseUrl, pair: Path, before: str
) -> None:
    rows(database_url, before)
    roll_back(database_url, pair.parent)
    assert applied(database_url) == []


def test_resolve_keeps_the_way_back_as_it_is_then(database_url: DatabaseUrl, pair: Path) -> None:
    runner.resolve(target(database_url, pair.parent), rolled_back=["001_a"])
    runner.resolve(target(database_url, pair.parent), applied=["001_a"])
    roll_back(database_url, pair.parent)
    assert {"a", "b"} & tables(database_url) == {"b"}


def test_steps_keep_the_way_back_too(database_url: DatabaseUrl, tmp_path: Path) -> None:
    (tmp_path / "001_a.sql").write_text("-- atomic: false\nCREATE TABLE a (id INTEGER);")
    (tmp_path / "001_a.down.sql").write_text("DROP TABLE a;")
    runner.deploy(target(database_url, tmp_path))
    (tmp_path / "001_a.down.sql").write_text("SELECT 1;")
    with pytest.raises(Refused, match=r"001_a\.down\.sql was edited after 001_a was applied"):
        roll_back(database_url, tmp_path)
