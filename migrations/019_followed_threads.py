"""Who looks on while an answer is written, and what there is of it so far: rows that only concern the present."""

from __future__ import annotations

import peewee as pw
from peewee_migrate import Migrator


def migrate(migrator: Migrator, database: pw.Database, *, fake: bool = False) -> None:
    @migrator.create_model
    class FollowedThread(pw.Model):
        id = pw.BigAutoField()
        chatbot = pw.ForeignKeyField(migrator.orm["chatbots"], on_delete="CASCADE")
        channel = pw.CharField(max_length=20)
        thread = pw.CharField(max_length=120)
        until = pw.DateTimeField()
        item = pw.ForeignKeyField(migrator.orm["inbox"], null=True, on_delete="CASCADE")
        text = pw.TextField(default="")

        class Meta:
            table_name = "followed_threads"
            indexes = ((("chatbot", "channel", "thread"), True),)

    if not isinstance(database, pw.SqliteDatabase):
        # Written several times a second, and of no use after a crash.
        migrator.sql("ALTER TABLE followed_threads SET UNLOGGED")


def rollback(migrator: Migrator, database: pw.Database, *, fake: bool = False) -> None:
    migrator.remove_model("followed_threads")
