from __future__ import annotations

import re

import pytest

from service.bot.health import Health
from tests.support.clock import StoppedClock


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> StoppedClock:
    clock = StoppedClock()
    monkeypatch.setattr("service.bot.health.time", clock)
    return clock


def test_a_loop_that_goes_round_is_well() -> None:
    health = Health()
    health.watch("inbox", limit=60)()
    assert health.stuck() == []
    assert 0 <= health.quiet()["inbox"] < 60


def test_a_loop_that_does_not_go_round_is_named_with_the_time_of_its_last_sign(clock: StoppedClock) -> None:
    health = Health()
    beat = health.watch("inbox", limit=5)
    health.watch("jobs", limit=60)
    clock.now += 7
    (stuck,) = health.stuck()
    assert re.fullmatch(
        r"The loop for inbox has not moved for 7 s, since \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\.", str(stuck)
    )
    beat()
    assert health.stuck() == []


def test_a_loop_is_watched_before_its_first_sign(clock: StoppedClock) -> None:
    health = Health()
    health.watch("inbox", limit=0)
    clock.now += 1
    assert [stuck.loop for stuck in health.stuck()] == ["inbox"]
