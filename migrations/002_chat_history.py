"""Every message of a user, an assistant or a digital twin."""

from __future__ import annotations

import peewee as pw
from peewee_migrate import Migrator


def migrate(migrator: Migrator, database: pw.Database, *, fake: bool = False) -> None:
    @migrator.create_model
    class Message(pw.Model):
        id = pw.BigAutoField()
        chatbot = pw.ForeignKeyField(migrator.orm["chatbots"], on_delete="RESTRICT")
        user = pw.ForeignKeyField(migrator.orm["users"], null=True, on_delete="SET NULL")
        persona = pw.ForeignKeyField(migrator.orm["personas"], null=True, on_delete="SET NULL")
        role = pw.CharField(max_length=10)
        content = pw.TextField()
        created_at = pw.DateTimeField()

        class Meta:
            table_name = "messages"
            indexes = ((("chatbot", "created_at"), False),)
            constraints = [
                pw.SQL("CONSTRAINT messages_role_known CHECK (role IN ('user', 'assistant', 'twin', 'system', 'tool'))")
            ]


def rollback(migrator: Migrator, database: pw.Database, *, fake: bool = False) -> None:
    migrator.remove_model("messages")
