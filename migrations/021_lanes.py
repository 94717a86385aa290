"""What comes next in a conversation is found by one look: what is in hand first, then what waits, in its order."""

from __future__ import annotations

import peewee as pw
from peewee_migrate import Migrator

atomic = False

LANES = {"inbox": ("chatbot", "channel", "thread"), "outbox": ("conversation",)}


def migrate(migrator: Migrator, database: pw.Database, *, fake: bool = False) -> None:
    for table, lane in LANES.items():
        waits = pw.SQL("(state IN ('queued', 'leased'))")
        migrator.add_index(table, *lane, "state", "id", name=f"{table}_lane", where=waits, concurrently=True)
        migrator.sql(f"DROP INDEX {table}_waiting_in_lane")


def rollback(migrator: Migrator, database: pw.Database, *, fake: bool = False) -> None:
    for table, lane in reversed(LANES.items()):
        waits = pw.SQL("(state IN ('queued', 'leased'))")
        migrator.add_index(table, *lane, "id", name=f"{table}_waiting_in_lane", where=waits, concurrently=True)
        migrator.sql(f"DROP INDEX {table}_lane")
