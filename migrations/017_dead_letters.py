"""Dead letters are few, in tables that are long: found without reading those."""

from __future__ import annotations

import peewee as pw
from peewee_migrate import Migrator

atomic = False


def migrate(migrator: Migrator, database: pw.Database, *, fake: bool = False) -> None:
    for table in ("inbox", "outbox"):
        is_dead = pw.SQL("(state = 'dead')")
        migrator.add_index(table, "id", name=f"{table}_dead", where=is_dead, concurrently=True)


def rollback(migrator: Migrator, database: pw.Database, *, fake: bool = False) -> None:
    for table in ("outbox", "inbox"):
        migrator.sql(f"DROP INDEX {table}_dead")
