"""How a column sorts, and whether a table outlives a crash: as migrations say, and models may leave it to them."""

from __future__ import annotations

from pathlib import Path

import peewee as pw
import pytest

from service.migrate import runner
from service.migrate.drafting import draft
from service.migrate.drafting.renames import Wishes
from service.migrate.errors import Unproven
from service.migrate.proving import verify
from service.url import DatabaseUrl
from tests.support.migrations import rows, target


def sort(url: DatabaseUrl) -> str:
    return 'COLLATE "C"' if not url.is_sqlite else "COLLATE NOCASE"


def told(url: DatabaseUrl, folder: Path) -> list[str]:
    return list(verify.verify(url, folder).drift)


@pytest.fixture
def folder(database_url: DatabaseUrl, tmp_path: Path) -> Path:
    """Applied is a table with a column that sorts its own way."""
    folder = tmp_path / "m"
    folder.mkdir()
    made = f"CREATE TABLE words (id INTEGER NOT NULL PRIMARY KEY, word VARCHAR(20) {sort(database_url)} NOT NULL)"
    (folder / "001_words.sql").write_text(made)
    runner.deploy(target(database_url, folder))
    return folder


def made_anew(url: DatabaseUrl, sorts: str = "") -> None:
    rows(url, "DROP TABLE words")
    rows(url, f"CREATE TABLE words (id INTEGER NOT NULL PRIMARY KEY, word VARCHAR(20) {sorts} NOT NULL)")


def test_a_column_that_sorts_otherwise_is_told(database_url: DatabaseUrl, folder: Path) -> None:
    assert told(database_url, folder) == []
    made_anew(database_url)
    kind = "VARCHAR(20)" if database_url.is_sqlite else "character varying(20)"
    wanted = f"words: column word is {kind} NOT NULL, expected {kind} {sort(database_url)} NOT NULL"
    assert told(database_url, folder) == [wanted]


def test_and_is_no_proof_of_the_migration(database_url: DatabaseUrl, folder: Path) -> None:
    made_anew(database_url)
    rows(database_url, "DELETE FROM migratehistory")
    with pytest.raises(Unproven, match=r"missing: words: column word .* COLLATE "):
        runner.resolve(target(database_url, folder), applied=["001_words"])
    made_anew(database_url, sort(database_url))
    runner.resolve(target(database_url, folder), applied=["001_words"])
    assert runner.deploy(target(database_url, folder)).done == ()


def test_what_the_database_would_do_anyway_is_no_difference(database_url: DatabaseUrl, tmp_path: Path) -> None:
    (tmp_path / "001_words.sql").write_text("CREATE TABLE words (id INTEGER NOT NULL PRIMARY KEY, word VARCHAR(20))")
    runner.deploy(target(database_url, tmp_path))
    rows(database_url, "DROP TABLE words")
    same = "COLLATE BINARY" if database_url.is_sqlite else 'COLLATE "default"'
    rows(database_url, f"CREATE TABLE words (id INTEGER NOT NULL PRIMARY KEY, word VARCHAR(20) {same})")
    assert told(database_url, tmp_path) == []


def test_a_missing_column_is_added_as_it_sorts(database_url: DatabaseUrl, folder: Path) -> None:
    (folder / "002_more.sql").write_text(f"ALTER TABLE words ADD COLUMN more VARCHAR(20) {sort(database_url)}")
    runner.deploy(target(database_url, folder))
    rows(database_url, "ALTER TABLE words DROP COLUMN more")
    verify.repair(database_url, verify.verify(database_url, folder).repair)
    assert told(database_url, folder) == []


@pytest.mark.parametrize("other", ["(word)", "(word COLLATE RTRIM)", "(word DESC)"])
def test_an_index_that_sorts_otherwise_is_told_on_sqlite_too(
    sqlite_url: DatabaseUrl, tmp_path: Path, other: str
) -> None:
    indexed = "CREATE INDEX words_word ON words "
    (tmp_path / "001_words.sql").write_text(f"CREATE TABLE words (word TEXT); {indexed}(word COLLATE NOCASE)")
    runner.deploy(target(sqlite_url, tmp_path))
    assert told(sqlite_url, tmp_path) == []
    rows(sqlite_url, "DROP INDEX words_word")
    rows(sqlite_url, indexed + other)
    assert told(sqlite_url, tmp_path) == [
        "words: index (word COLLATE NOCASE) is missing",
        f"words: index {other} is not expected",
    ]


class Word(pw.Model):
    word = pw.CharField(20)

    class Meta:
        table_name = "words"


def test_models_that_say_nothing_of_it_ask_for_no_change(database_url: DatabaseUrl, tmp_path: Path) -> None:
    key = "INTEGER NOT NULL PRIMARY KEY" if database_url.is_sqlite else "SERIAL PRIMARY KEY"
    unlogged = "" if database_url.is_sqlite else "UNLOGGED "
    made = f"CREATE {unlogged}TABLE words (id {key}, word VARCHAR(20) {sort(database_url)} NOT NULL)"
    (tmp_path / "001_words.sql").write_text(made)
    assert draft.differences(database_url, tmp_path, [Word]) == []
    assert draft.create(database_url, tmp_path, "more", [Word], Wishes()) is None


def test_models_that_do_are_held_to_it(database_url: DatabaseUrl, tmp_path: Path) -> None:
    key = "INTEGER NOT NULL PRIMARY KEY" if database_url.is_sqlite else "SERIAL PRIMARY KEY"
    (tmp_path / "001_words.sql").write_text(f"CREATE TABLE words (id {key}, word VARCHAR(20) NOT NULL)")

    class Sorted(pw.Model):
        word = pw.CharField(20, collation="NOCASE" if database_url.is_sqlite else '"C"')

        class Meta:
            table_name = "words"

    (line,) = draft.differences(database_url, tmp_path, [Sorted])
    assert line.startswith("words: column word is ")
    assert line.endswith(f"{sort(database_url)} NOT NULL")


def test_a_table_that_a_crash_would_empty_is_told(postgresql_url: DatabaseUrl, tmp_path: Path) -> None:
    (tmp_path / "001_a.sql").write_text("CREATE TABLE a (id INT); CREATE UNLOGGED TABLE b (id INT)")
    runner.deploy(target(postgresql_url, tmp_path))
    assert told(postgresql_url, tmp_path) == []
    rows(postgresql_url, "ALTER TABLE a SET UNLOGGED")
    assert told(postgresql_url, tmp_path) == ["a: option UNLOGGED is not expected"]
    rows(postgresql_url, "ALTER TABLE a SET LOGGED")
    rows(postgresql_url, "DROP TABLE b")
    verify.repair(postgresql_url, verify.verify(postgresql_url, tmp_path).repair)
    assert told(postgresql_url, tmp_path) == []


def test_a_migration_that_makes_a_table_so_is_proven_by_that(postgresql_url: DatabaseUrl, tmp_path: Path) -> None:
    (tmp_path / "001_a.sql").write_text("CREATE TABLE a (id INT)")
    (tmp_path / "002_b.sql").write_text("ALTER TABLE a SET UNLOGGED")
    runner.deploy(target(postgresql_url, tmp_path), only=1)
    with pytest.raises(Unproven, match="missing: a: option UNLOGGED"):
        runner.resolve(target(postgresql_url, tmp_path), applied=["002_b"])
