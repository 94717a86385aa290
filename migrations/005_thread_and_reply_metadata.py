"""Where a conversation takes place, and which message answers which."""

from __future__ import annotations

import peewee as pw
from peewee_migrate import Migrator


def migrate(migrator: Migrator, database: pw.Database, *, fake: bool = False) -> None:
    migrator.add_fields(
        "conversations",
        channel=pw.CharField(max_length=20, default="panel", constraints=[pw.SQL("DEFAULT 'panel'")]),
        thread=pw.CharField(max_length=120, null=True),
        metadata=pw.JSONField(default=dict, constraints=[pw.SQL("DEFAULT '{}'")]),
    )
    migrator.add_index("conversations", "chatbot", "channel", "thread", unique=True)
    migrator.add_fields(
        "messages",
        reply_to=pw.ForeignKeyField(migrator.orm["messages"], null=True, on_delete="SET NULL"),
        metadata=pw.JSONField(default=dict, constraints=[pw.SQL("DEFAULT '{}'")]),
    )


def rollback(migrator: Migrator, database: pw.Database, *, fake: bool = False) -> None:
    migrator.remove_fields("messages", "reply_to", "metadata")
    migrator.drop_index("conversations", "chatbot", "channel", "thread")
    migrator.remove_fields("conversations", "channel", "thread", "metadata")
