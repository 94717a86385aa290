"""Every call of a tool over MCP."""

from __future__ import annotations

import peewee as pw
from peewee_migrate import Migrator


def migrate(migrator: Migrator, database: pw.Database, *, fake: bool = False) -> None:
    @migrator.create_model
    class ToolLog(pw.Model):
        id = pw.BigAutoField()
        server = pw.CharField(max_length=120)
        tool = pw.CharField(max_length=120)
        arguments = pw.JSONField(default=dict)
        result = pw.TextField(null=True)
        error = pw.TextField(null=True)
        duration_ms = pw.IntegerField(null=True)
        created_at = pw.DateTimeField(index=True)

        class Meta:
            table_name = "tool_logs"


def rollback(migrator: Migrator, database: pw.Database, *, fake: bool = False) -> None:
    migrator.remove_model("tool_logs")
