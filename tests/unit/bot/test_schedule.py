from __future__ import annotations

import pytest

from service.bot import jobs
from service.bot.jobs.schedule import Job, due


def nothing(*_: object) -> str:
    return ""


MINUTELY, HOURLY = Job("minutely", 60, nothing), Job("hourly", 3600, nothing)


@pytest.mark.parametrize(
    ("asked", "now", "expected"),
    [
        ({}, 0.0, [MINUTELY, HOURLY]),
        ({"minutely": 100.0, "hourly": 100.0}, 114.0, []),
        ({"minutely": 100.0, "hourly": 100.0}, 115.0, [MINUTELY]),
        ({"minutely": 990.0, "hourly": 100.0}, 1000.0, [HOURLY]),
    ],
    ids=["at the start", "just asked", "a quarter of a minute later", "a quarter of an hour later"],
)
def test_what_a_worker_asks_for(asked: dict[str, float], now: float, expected: list[Job]) -> None:
    assert due([MINUTELY, HOURLY], asked, now) == expected


def test_nothing_is_deleted_unless_somebody_asked_for_it() -> None:
    assert "retention" not in {job.name for job in jobs.wanted(None)}
    assert "retention" in {job.name for job in jobs.wanted(30)}
