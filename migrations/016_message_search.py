"""The words of every message, for search. The worker fills them in: a message without them is found a moment later."""

from __future__ import annotations

import peewee as pw
from peewee_migrate import Migrator

POSTGRESQL = """
CREATE TABLE message_search (
    message_id bigint PRIMARY KEY REFERENCES messages (id) ON DELETE CASCADE,
    words tsvector NOT NULL
);
CREATE INDEX message_search_words ON message_search USING gin (words);
"""

# The rowid is the message's id. A virtual table can't refer to another, so a trigger does what ON DELETE CASCADE does.
SQLITE = """
CREATE VIRTUAL TABLE message_search USING fts5 (words, tokenize = 'unicode61 remove_diacritics 0');
CREATE TRIGGER message_search_forgets AFTER DELETE ON messages BEGIN
    DELETE FROM message_search WHERE rowid = old.id;
END;
"""


def migrate(migrator: Migrator, database: pw.Database, *, fake: bool = False) -> None:
    migrator.sql(SQLITE if isinstance(database, pw.SqliteDatabase) else POSTGRESQL)


def rollback(migrator: Migrator, database: pw.Database, *, fake: bool = False) -> None:
    if isinstance(database, pw.SqliteDatabase):
        migrator.sql("DROP TRIGGER message_search_forgets")
    migrator.sql("DROP TABLE message_search")
