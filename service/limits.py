"""How often something may be done, counted in the database: every process sees the same count."""

from __future__ import annotations

import math
import time
from typing import NamedTuple

from service.database import connection, writing
from service.models import RateLimit


class Verdict(NamedTuple):
    """`remaining` more in this window; a refused one may come again after `wait` seconds."""

    is_allowed: bool
    remaining: int
    wait: int


def take(name: str, *, limit: int, seconds: int, now: float | None = None) -> Verdict:
    """Count one more of `name`, of which there may be `limit` in each window of so many seconds."""
    moment = time.time() if now is None else now
    window = int(moment // seconds) * seconds
    row = {RateLimit.name: name[:200], RateLimit.window: window, RateLimit.count: 1}
    with connection() as database, writing(database):
        counted = (
            RateLimit.insert(row)
            .on_conflict(
                conflict_target=[RateLimit.name, RateLimit.window], update={RateLimit.count: RateLimit.count + 1}
            )
            .returning(RateLimit.count)
            .execute()
        )
        count = next(iter(counted)).count
    wait = max(1, math.ceil(window + seconds - moment))
    return Verdict(count <= limit, max(0, limit - count), wait if count > limit else 0)


def forget(before: float) -> int:
    """Remove the counts of windows that began before that moment (seconds since 1970); returns how many."""
    with connection() as database, writing(database):
        return int(RateLimit.delete().where(RateLimit.window < int(before)).execute())
