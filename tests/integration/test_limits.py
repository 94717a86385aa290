"""Counting what may be done only so often."""

from __future__ import annotations

import pytest

from service import limits
from service.models import RateLimit
from service.url import DatabaseUrl
from tests.support.panel import at_once

pytestmark = pytest.mark.usefixtures("service_database")


def test_a_window_holds_so_many_and_the_next_begins_anew() -> None:
    verdicts = [limits.take("sign-in ada", limit=2, seconds=60, now=120.0 + second) for second in range(3)]
    assert [verdict.is_allowed for verdict in verdicts] == [True, True, False]
    assert [verdict.remaining for verdict in verdicts] == [1, 0, 0]
    assert verdicts[2].wait == 58, "the window of 120 ends at 180"
    assert limits.take("sign-in ada", limit=2, seconds=60, now=180.0).is_allowed


def test_names_are_counted_apart() -> None:
    assert limits.take("sign-in ada", limit=1, seconds=60, now=0.0).is_allowed
    assert limits.take("sign-in bob", limit=1, seconds=60, now=0.0).is_allowed
    assert not limits.take("sign-in ada", limit=1, seconds=60, now=0.0).is_allowed


def test_those_who_come_at_once_are_all_counted(service_database: DatabaseUrl) -> None:
    at_once(6, lambda: limits.take("busy", limit=3, seconds=60, now=0.0))
    assert RateLimit.get().count == 6


def test_old_windows_are_forgotten_and_the_present_one_is_not() -> None:
    for moment in (0.0, 60.0):
        limits.take("ada", limit=9, seconds=60, now=moment)
    assert limits.forget(before=60.0) == 1
    assert [row.window for row in RateLimit.select()] == [60]
