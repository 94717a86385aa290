"""Counts what happened on each day, for the pages that show it."""

from __future__ import annotations

from datetime import datetime

from service.bot.jobs.schedule import GoOn
from service.chat import usage
from service.models.base import utc_now


def run(done_at: datetime | None, go_on: GoOn) -> str:
    days = usage.stale(done_at, utc_now(), None if done_at else usage.first_message_at())
    for day in days:
        if not go_on():
            return "broken off"
        usage.count(day)
    return f"counted {len(days)} days" if len(days) > 2 else ""
