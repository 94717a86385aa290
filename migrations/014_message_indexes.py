"""Messages by time, and those that are apologies; made while the bot goes on answering."""

from __future__ import annotations

import peewee as pw
from peewee_migrate import Migrator

atomic = False


def migrate(migrator: Migrator, database: pw.Database, *, fake: bool = False) -> None:
    migrator.add_index("messages", "created_at", name="messages_by_time", concurrently=True)
    migrator.add_index(
        "messages", "conversation", name="messages_failed", where=pw.SQL("(error IS NOT NULL)"), concurrently=True
    )


def rollback(migrator: Migrator, database: pw.Database, *, fake: bool = False) -> None:
    migrator.sql("DROP INDEX messages_failed")
    migrator.sql("DROP INDEX messages_by_time")
