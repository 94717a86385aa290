"""A virtual table of SQLite's, for full-text search, is one thing: its shadow tables are its own affair."""

from __future__ import annotations

from pathlib import Path

import pytest

from service.migrate import runner
from service.migrate.errors import MigrationFailed
from service.migrate.proving import verify
from service.url import DatabaseUrl
from tests.support.migrations import rows, target, write

MESSAGES = """
@migrator.create_model
class Message(pw.Model):
    content = pw.TextField(null=True)
    class Meta:
        table_name = "messages"
"""
SEARCH = '''
migrator.sql("""
    CREATE VIRTUAL TABLE message_search USING fts5(content, content='messages', content_rowid='id');
    CREATE TRIGGER messages_found AFTER INSERT ON messages BEGIN
        INSERT INTO message_search (rowid, content) VALUES (new.id, new.content);
    END;
    CREATE TRIGGER messages_lost AFTER DELETE ON messages BEGIN
        INSERT INTO message_search (message_search, rowid, content) VALUES ('delete', old.id, old.content);
    END;
""")
'''
OWN = '''
migrator.sql("""
    CREATE VIRTUAL TABLE message_search USING fts5(content);
    CREATE TRIGGER messages_found AFTER INSERT ON messages BEGIN
        INSERT INTO message_search (rowid, content) VALUES (new.id, new.content);
    END;
    CREATE TRIGGER messages_lost AFTER DELETE ON messages BEGIN
        DELETE FROM message_search WHERE rowid = old.id;
    END;
""")
'''
FOUND = "SELECT rowid FROM message_search WHERE message_search MATCH 'otter'"


@pytest.fixture(params=[SEARCH, OWN], ids=["content elsewhere", "content of its own"])
def folder(request: pytest.FixtureRequest, sqlite_url: DatabaseUrl, tmp_path: Path) -> Path:
    folder = tmp_path / "m"
    write(folder, "001_messages", MESSAGES)
    write(folder, "002_search", request.param, 'migrator.sql("DROP TABLE message_search")')
    runner.deploy(target(sqlite_url, folder))
    rows(sqlite_url, "INSERT INTO messages (content) VALUES ('an otter'), ('a heron'), ('two otters, an otter')")
    return folder


@pytest.mark.parametrize(
    "change",
    [
        'migrator.add_not_null("messages", "content")',
        'migrator.change_fields("messages", content=pw.CharField())',
        'migrator.add_fields("messages", tone=pw.CharField(null=True, default=lambda: "calm"))',
        'migrator.sql("ALTER TABLE messages ADD COLUMN x INTEGER")',
        "migrator.sql(\"INSERT INTO message_search (message_search) VALUES ('optimize')\")",
    ],
)
def test_a_changed_table_is_still_found_by_its_words(sqlite_url: DatabaseUrl, folder: Path, change: str) -> None:
    write(folder, "003_change", change)
    runner.deploy(target(sqlite_url, folder))
    assert rows(sqlite_url, FOUND) == [(1,), (3,)]
    rows(sqlite_url, "INSERT INTO messages (content) VALUES ('a third otter')")
    assert rows(sqlite_url, FOUND) == [(1,), (3,), (4,)]


def test_rows_may_go_together_with_what_finds_them(sqlite_url: DatabaseUrl, folder: Path) -> None:
    write(folder, "003_tidy", "migrator.sql(\"DELETE FROM messages WHERE content = 'an otter'\")")
    runner.deploy(target(sqlite_url, folder))
    assert rows(sqlite_url, FOUND) == [(3,)]


def test_the_table_itself_does_not_go_without_a_word(sqlite_url: DatabaseUrl, folder: Path) -> None:
    name = "name = '_'.join(['message', 'search'])"
    write(folder, "003_drop", f"{name}\nmigrator.run(lambda: database.connection().execute(f'DROP TABLE {{name}}'))")
    with pytest.raises(MigrationFailed, match="table message_search"):
        runner.deploy(target(sqlite_url, folder))
    assert rows(sqlite_url, FOUND) == [(1,), (3,)]


def test_the_live_schema_agrees_with_the_migrations(sqlite_url: DatabaseUrl, folder: Path) -> None:
    rows(sqlite_url, "INSERT INTO message_search (message_search) VALUES ('optimize')")
    assert list(verify.verify(sqlite_url, folder).drift) == []
    rows(sqlite_url, "DROP TABLE message_search")
    assert any("message_search" in line for line in verify.verify(sqlite_url, folder).drift)


def test_a_database_without_history_is_recognised(sqlite_url: DatabaseUrl, folder: Path) -> None:
    rows(sqlite_url, "DROP TABLE migratehistory")
    assert runner.detect(target(sqlite_url, folder)).names == ("001_messages", "002_search")


def test_a_search_can_be_rolled_back(sqlite_url: DatabaseUrl, folder: Path) -> None:
    rows(sqlite_url, "DROP TRIGGER messages_found")
    rows(sqlite_url, "DROP TRIGGER messages_lost")
    runner.rollback(target(sqlite_url, folder), confirm=lambda _names: None)
    assert rows(sqlite_url, "SELECT name FROM sqlite_master WHERE name LIKE 'message_search%'") == []
