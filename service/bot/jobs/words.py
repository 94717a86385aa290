"""Keeps the words of messages that have none: those from before search, and those that an older release has written."""

from __future__ import annotations

from datetime import datetime

from service.bot.jobs.schedule import GoOn
from service.chat import search

BATCH = 200


def run(_done_at: datetime | None, go_on: GoOn) -> str:
    total = 0
    while go_on() and (found := search.index_missing(BATCH)):
        total += found
    return f"made {total} messages findable" if total else ""
