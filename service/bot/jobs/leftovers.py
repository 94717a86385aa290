"""Removes what has served its purpose: counts of times gone by, answers kept for requests that nobody repeats, and
what was written for people who do not look any more."""

from __future__ import annotations

import time
from datetime import datetime

from service import limits
from service.bot.jobs.schedule import GoOn
from service.chat import following
from service.database import connection
from service.models import IdempotencyKey
from service.models.base import shared_now

DAY = 86_400
BATCH = 500


def run(_done_at: datetime | None, go_on: GoOn) -> str:
    limits.forget(time.time() - 2 * DAY)
    total = 0
    while go_on() and (removed := _forget_answers()):
        total += removed
    while go_on() and following.tidy(BATCH):
        pass
    return f"removed {total} answers kept for repeated requests" if total else ""


def _forget_answers() -> int:
    old = IdempotencyKey.select(IdempotencyKey.id).where(IdempotencyKey.created_at < shared_now(-DAY)).limit(BATCH)
    with connection():
        return int(IdempotencyKey.delete().where(IdempotencyKey.id.in_(old)).execute())
