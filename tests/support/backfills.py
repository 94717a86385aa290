"""Backfills of the table `words`, one by a function and one by SQL."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from service.migrate import runner
from service.migrate.backfilling.tally import Tally
from service.migrate.session import Event
from service.url import DatabaseUrl
from tests.support.migrations import rows, target, write

LENGTHS = 'migrator.backfill("words", lambda row: {"length": len(row.word)}, batch=3)'
IN_SQL = 'migrator.backfill("words", {"length": pw.SQL("length(word)")}, batch=3)'
DONE = "SELECT id FROM words WHERE length IS NOT NULL ORDER BY id"


def backfill(url: DatabaseUrl, folder: Path, body: str, **options: Any) -> list[Tally]:
    """Deploy a migration with this body; how far its backfills were after each batch."""
    write(folder, "002_fill", body, top="atomic = False")
    told: list[Event] = []
    runner.deploy(target(url, folder, tell=told.append, **options))
    return [event.tally for event in told if event.tally]


def done(url: DatabaseUrl) -> list[int]:
    return [row[0] for row in rows(url, DONE)]
