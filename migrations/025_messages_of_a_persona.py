"""The conversations in which a persona spoke, from an index alone: a list of them looks at none of the messages."""

from __future__ import annotations

import peewee as pw
from peewee_migrate import Migrator

atomic = False


def migrate(migrator: Migrator, database: pw.Database, *, fake: bool = False) -> None:
    migrator.add_index("messages", "persona", "conversation", concurrently=True)
    migrator.drop_index("messages", "persona")


def rollback(migrator: Migrator, database: pw.Database, *, fake: bool = False) -> None:
    migrator.add_index("messages", "persona", concurrently=True)
    migrator.drop_index("messages", "persona", "conversation")
