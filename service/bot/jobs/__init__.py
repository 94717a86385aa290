"""Work that is done at intervals, by one worker at a time: each job is a duty."""

from __future__ import annotations

from functools import partial

from service.bot.jobs import leftovers, retention, usage, words
from service.bot.jobs.schedule import Job
from service.chat.usage import DUTY

MINUTE, HOUR = 60.0, 3600.0
# Between two questions whether to go on, such as the counting of one day or the deletion of one conversation.
LONGEST_STEP = 600.0


def wanted(retention_days: int | None) -> list[Job]:
    """All that this installation wants done."""
    jobs = [
        Job(DUTY, MINUTE, usage.run),
        Job("words", HOUR, words.run),
        Job("leftovers", HOUR, leftovers.run),
    ]
    if retention_days is not None:
        jobs.append(Job("retention", HOUR, partial(retention.run, retention_days)))
    return jobs
