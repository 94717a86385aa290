"""The record of changes by person and by action, the latest first: narrowed without reading a million events."""

from __future__ import annotations

import peewee as pw
from peewee_migrate import Migrator

atomic = False


def migrate(migrator: Migrator, database: pw.Database, *, fake: bool = False) -> None:
    for column in ("actor", "action"):
        migrator.add_index("audit_log", column, "created_at", name=f"audit_log_by_{column}", concurrently=True)


def rollback(migrator: Migrator, database: pw.Database, *, fake: bool = False) -> None:
    for column in ("action", "actor"):
        migrator.sql(f"DROP INDEX audit_log_by_{column}")
