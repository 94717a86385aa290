from __future__ import annotations

import re
import time

from service.bot.health import Health


def test_a_loop_that_goes_round_is_well() -> None:
    health = Health()
    health.watch("inbox", limit=60)()
    assert health.stuck() == []
    assert 0 <= health.quiet()["inbox"] < 60


def test_a_loop_that_does_not_go_round_is_named_with_the_time_of_its_last_sign() -> None:
    health = Health()
    beat = health.watch("inbox", limit=0.01)
    health.watch("jobs", limit=60)
    time.sleep(0.02)
    (stuck,) = health.stuck()
    assert re.fullmatch(
        r"The loop for inbox has not moved for \d+ s, since \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\.", str(stuck)
    )
    beat()
    assert health.stuck() == []


def test_a_loop_is_watched_before_its_first_sign() -> None:
    health = Health()
    health.watch("inbox", limit=0.0)
    time.sleep(0.001)
    assert [stuck.loop for stuck in health.stuck()] == ["inbox"]
