"""How an answer came about: its duration, tokens and error, the persona of its conversation, and the message in the
inbox that it belongs to; and duties that one process at a time has."""

from __future__ import annotations

import peewee as pw
from peewee_migrate import Migrator


def migrate(migrator: Migrator, database: pw.Database, *, fake: bool = False) -> None:
    migrator.add_fields(
        "messages",
        duration_ms=pw.IntegerField(null=True),
        input_tokens=pw.IntegerField(null=True),
        output_tokens=pw.IntegerField(null=True),
        error=pw.TextField(null=True),
    )
    error = "json_extract(metadata, '$.error')" if isinstance(database, pw.SqliteDatabase) else "metadata ->> 'error'"
    migrator.sql(f"UPDATE messages SET error = {error} WHERE {error} IS NOT NULL")
    persona = pw.ForeignKeyField(migrator.orm["personas"], null=True, on_delete="SET NULL", backref="+")
    migrator.add_fields("conversations", persona=persona)
    reply = pw.ForeignKeyField(migrator.orm["messages"], null=True, on_delete="SET NULL", backref="+")
    migrator.add_fields("inbox", reply=reply)

    @migrator.create_model
    class Duty(pw.Model):
        name = pw.CharField(max_length=60, unique=True)
        holder = pw.CharField(max_length=120, null=True)
        held_until = pw.DateTimeField(null=True)
        done_at = pw.DateTimeField(null=True)

        class Meta:
            table_name = "duties"


def rollback(migrator: Migrator, database: pw.Database, *, fake: bool = False) -> None:
    migrator.remove_model("duties")
    migrator.remove_fields("inbox", "reply")
    migrator.remove_fields("conversations", "persona")
    migrator.remove_fields("messages", "duration_ms", "input_tokens", "output_tokens", "error")
