"""For which conversation, and for which message of it, a tool was called."""

from __future__ import annotations

import peewee as pw
from peewee_migrate import Migrator


def migrate(migrator: Migrator, database: pw.Database, *, fake: bool = False) -> None:
    migrator.add_fields(
        "tool_logs",
        session=pw.ForeignKeyField(migrator.orm["conversations"], null=True, on_delete="CASCADE"),
        message=pw.ForeignKeyField(migrator.orm["messages"], null=True, on_delete="SET NULL"),
    )


def rollback(migrator: Migrator, database: pw.Database, *, fake: bool = False) -> None:
    migrator.remove_fields("tool_logs", "session", "message")
