"""Several personas a user, told apart by a description and a color, and switched on and off."""

from __future__ import annotations

import peewee as pw
from peewee_migrate import Migrator


def migrate(migrator: Migrator, database: pw.Database, *, fake: bool = False) -> None:
    migrator.add_fields(
        "personas",
        is_active=pw.BooleanField(default=True, constraints=[pw.SQL("DEFAULT TRUE")]),
        description=pw.TextField(default="", constraints=[pw.SQL("DEFAULT ''")]),
        color=pw.CharField(max_length=7, default="#6c757d", constraints=[pw.SQL("DEFAULT '#6c757d'")]),
    )


def rollback(migrator: Migrator, database: pw.Database, *, fake: bool = False) -> None:
    migrator.remove_fields("personas", "is_active", "description", "color")
