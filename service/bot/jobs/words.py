"""Keeps the words of messages that have none: those from before search, and those that an older release has written."""

from __future__ import annotations

from datetime import datetime

from service.bot.jobs.schedule import GoOn
from service.chat import search

BATCH = 200


def run(_done_at: datetime | None, go_on: GoOn) -> str:
    total, below = 0, None
    while go_on() and (found := search.index_missing(BATCH, below)):
        total, below = total + len(found), found[-1]
    return f"made {total} messages findable" if total else ""
