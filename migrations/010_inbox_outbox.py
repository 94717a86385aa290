"""Work that survives a crash: messages that wait for an answer, and answers that wait to be delivered."""

from __future__ import annotations

import peewee as pw
from peewee_migrate import Migrator


def job() -> dict[str, pw.Field]:
    """The columns of work that one worker at a time may hold."""
    return {
        "state": pw.CharField(max_length=10, default="queued"),
        "attempts": pw.IntegerField(default=0),
        "available_at": pw.DateTimeField(),
        "leased_by": pw.CharField(max_length=120, null=True),
        "leased_until": pw.DateTimeField(null=True),
        "error": pw.TextField(null=True),
        "created_at": pw.DateTimeField(),
        "finished_at": pw.DateTimeField(null=True),
    }


def migrate(migrator: Migrator, database: pw.Database, *, fake: bool = False) -> None:
    class InboxItem(pw.Model):
        id = pw.BigAutoField()
        chatbot = pw.ForeignKeyField(migrator.orm["chatbots"], on_delete="RESTRICT")
        channel = pw.CharField(max_length=20)
        external_id = pw.CharField(max_length=120)
        thread = pw.CharField(max_length=120)
        content = pw.TextField()
        metadata = pw.JSONField(default=dict)

        class Meta:
            table_name = "inbox"
            indexes = ((("channel", "external_id"), True),)

    class OutboxItem(pw.Model):
        id = pw.BigAutoField()
        conversation = pw.ForeignKeyField(migrator.orm["conversations"], on_delete="CASCADE")
        message = pw.ForeignKeyField(migrator.orm["messages"], on_delete="CASCADE", unique=True)
        channel = pw.CharField(max_length=20)
        address = pw.JSONField(default=dict)

        class Meta:
            table_name = "outbox"

    for model, lane in ((InboxItem, ("chatbot", "channel", "thread")), (OutboxItem, ("conversation",))):
        for name, field in job().items():
            model._meta.add_field(name, field)
        # Finished work stays in the table: these indexes hold only what waits, oldest first, and by conversation.
        waits = model.state.in_(["queued", "leased"])
        model.add_index(model.id, name=f"{model._meta.table_name}_waiting", where=waits)
        fields = [getattr(model, name) for name in lane]
        model.add_index(*fields, model.id, name=f"{model._meta.table_name}_waiting_in_lane", where=waits)
        migrator.create_model(model)


def rollback(migrator: Migrator, database: pw.Database, *, fake: bool = False) -> None:
    migrator.remove_model("outbox")
    migrator.remove_model("inbox")
