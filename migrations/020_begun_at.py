"""When the present attempt at a row of work began: its lease is renewed, so that the end of it does not say."""

from __future__ import annotations

import peewee as pw
from peewee_migrate import Migrator


def migrate(migrator: Migrator, database: pw.Database, *, fake: bool = False) -> None:
    for table in ("inbox", "outbox"):
        migrator.add_fields(table, begun_at=pw.DateTimeField(null=True))


def rollback(migrator: Migrator, database: pw.Database, *, fake: bool = False) -> None:
    for table in ("outbox", "inbox"):
        migrator.remove_fields(table, "begun_at")
