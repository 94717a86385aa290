"""What happened on each day, in sums."""

from __future__ import annotations

import peewee as pw
from peewee_migrate import Migrator


def migrate(migrator: Migrator, database: pw.Database, *, fake: bool = False) -> None:
    @migrator.create_model
    class UsageDay(pw.Model):
        id = pw.BigAutoField()
        day = pw.DateField()
        chatbot = pw.ForeignKeyField(migrator.orm["chatbots"], on_delete="CASCADE")
        conversations = pw.IntegerField(default=0)
        messages = pw.IntegerField(default=0)
        answers = pw.IntegerField(default=0)
        errors = pw.IntegerField(default=0)
        input_tokens = pw.BigIntegerField(default=0)
        output_tokens = pw.BigIntegerField(default=0)
        durations = pw.JSONField(default=dict)

        class Meta:
            table_name = "usage_days"
            indexes = ((("day", "chatbot"), True),)


def rollback(migrator: Migrator, database: pw.Database, *, fake: bool = False) -> None:
    migrator.remove_model("usage_days")
