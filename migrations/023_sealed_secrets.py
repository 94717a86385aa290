"""Room for secrets of second steps that are encrypted."""

from __future__ import annotations

import peewee as pw
from peewee_migrate import Migrator


def migrate(migrator: Migrator, database: pw.Database, *, fake: bool = False) -> None:
    migrator.change_fields("users", totp_secret=pw.CharField(max_length=255, null=True))


def rollback(migrator: Migrator, database: pw.Database, *, fake: bool = False) -> None:
    migrator.change_fields("users", totp_secret=pw.CharField(max_length=64, null=True))
