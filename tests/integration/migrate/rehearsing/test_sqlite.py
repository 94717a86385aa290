"""What a rehearsal says that statements read and make anew on SQLite."""

from __future__ import annotations

from pathlib import Path

import pytest

from service.migrate import rehearsal, runner
from service.migrate.rehearsing.touch import Touch
from service.url import DatabaseUrl
from tests.support.migrations import rows, target, write

LIVE = """
CREATE TABLE messages (id INTEGER PRIMARY KEY, n INTEGER, words TEXT);
CREATE TABLE keyed (code TEXT PRIMARY KEY, n INTEGER) WITHOUT ROWID;
CREATE INDEX messages_n ON messages (n);
CREATE VIRTUAL TABLE found USING fts5 (words);
INSERT INTO messages (n) VALUES (1), (2), (3);
"""
READS, ANEW = [Touch("messages", reads=True, rows=3)], [Touch("messages", rewrites=True, reads=True, rows=3)]


@pytest.fixture
def folder(sqlite_url: DatabaseUrl, tmp_path: Path) -> Path:
    """With one migration, applied."""
    folder = tmp_path / "migrations"
    folder.mkdir()
    (folder / "001_live.sql").write_text(LIVE)
    runner.deploy(target(sqlite_url, folder))
    return folder


@pytest.mark.parametrize(
    ("statement", "touches"),
    [
        ("CREATE TABLE plain (id INTEGER)", []),
        ("CREATE INDEX messages_words ON messages (words)", READS),
        ("CREATE TABLE plain AS SELECT words FROM messages", READS),
        ("CREATE INDEX keyed_n ON keyed (n)", [Touch("keyed", reads=True)]),
        ("ALTER TABLE messages ADD COLUMN size INTEGER NOT NULL DEFAULT 7", []),
        ("ALTER TABLE messages DROP COLUMN words", ANEW),
        ("ALTER TABLE messages RENAME TO posts", []),
        ("UPDATE messages SET words = 'a?'", READS),
        ("UPDATE messages SET words = '' WHERE id = 5", []),
        ("DELETE FROM messages WHERE n = 5", []),
        ("DELETE FROM messages WHERE words IS NULL", READS),
        ("INSERT INTO messages (n) VALUES (4)", []),
        ("INSERT INTO found SELECT words FROM messages", READS),
        ("INSERT INTO messages (n) SELECT n FROM keyed", [Touch("keyed", reads=True)]),
        ("DROP INDEX messages_n", []),
    ],
)
def test_the_plan_of_a_statement_tells_what_it_goes_through(
    sqlite_url: DatabaseUrl, folder: Path, statement: str, touches: list[Touch]
) -> None:
    (folder / "002_more.sql").write_text(statement)
    (part,) = rehearsal.rehearse(sqlite_url, folder).pending
    assert [list(each.tables) for each in part.statements] == [touches]
    assert not part.statements[0].untried


def test_a_verb_that_makes_a_table_anew_says_so_where_its_rows_are_copied(
    sqlite_url: DatabaseUrl, tmp_path: Path
) -> None:
    folder = tmp_path / "migrations"
    model = "@migrator.create_model\nclass A(pw.Model):\n    n = pw.IntegerField(null=True)"
    write(folder, "001_a", model)
    runner.deploy(target(sqlite_url, folder))
    rows(sqlite_url, "INSERT INTO a (n) VALUES (1), (2)")
    write(folder, "002_more", "migrator.add_not_null('a', 'n')")
    (part,) = rehearsal.rehearse(sqlite_url, folder).pending
    said = {each.sql.split()[0]: each.notes for each in part.statements}
    assert said == {"CREATE": (), "INSERT": ("Makes a (about 2 rows) anew.",), "DROP": (), "ALTER": ()}


def test_a_table_that_is_new_with_the_deploy_is_not_in_use(sqlite_url: DatabaseUrl, folder: Path) -> None:
    (folder / "002_new.sql").write_text("CREATE TABLE new (id INTEGER)")
    (folder / "003_more.sql").write_text("CREATE INDEX new_id ON new (id)")
    parts = rehearsal.rehearse(sqlite_url, folder).pending
    assert [each.tables for part in parts for each in part.statements] == [(), ()]
