"""When a process of the panel takes another connection."""

from __future__ import annotations

import pytest

from service.admin.server import AT_ONCE, BRIEF, has_time

NOW = 100.0


@pytest.mark.parametrize(
    ("brief", "long", "expected"),
    [(0, 0, True), (AT_ONCE - 1, 0, True), (AT_ONCE, 0, False), (AT_ONCE - 1, 9, True), (AT_ONCE, 9, False)],
)
def test_a_process_has_time_for_so_many_that_are_brief(brief: int, long: int, expected: bool) -> None:
    begun = [NOW - BRIEF / 2] * brief + [NOW - BRIEF] * long
    assert has_time(begun, NOW) is expected
