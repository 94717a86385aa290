"""The messages of a conversation in their order: an answer reads the newest of them, however many there are."""

from __future__ import annotations

import peewee as pw
from peewee_migrate import Migrator

atomic = False


def migrate(migrator: Migrator, database: pw.Database, *, fake: bool = False) -> None:
    migrator.add_index("messages", "conversation", "id", concurrently=True)
    migrator.drop_index("messages", "conversation")


def rollback(migrator: Migrator, database: pw.Database, *, fake: bool = False) -> None:
    migrator.add_index("messages", "conversation", concurrently=True)
    migrator.drop_index("messages", "conversation", "id")
