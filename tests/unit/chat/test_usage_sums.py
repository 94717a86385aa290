from __future__ import annotations

import math
from collections import Counter
from datetime import date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.chat.usage import GROWTH, Standstill, bound, percentile, stale, stands_still

durations = st.integers(0, 2**31 - 1)


@given(durations)
def test_a_duration_is_never_counted_as_less_and_at_most_as_a_tenth_more(milliseconds: int) -> None:
    assert milliseconds <= bound(milliseconds) <= max(milliseconds, 1) * GROWTH


@given(durations, durations)
def test_a_longer_one_is_never_counted_below_a_shorter_one(one: int, other: int) -> None:
    assert (bound(min(one, other))) <= bound(max(one, other))


@given(st.lists(durations, min_size=1, max_size=60), st.sampled_from([0.5, 0.95, 0.99, 1.0]))
def test_a_percentile_is_at_most_a_tenth_above_the_true_one(taken: list[int], share: float) -> None:
    true = sorted(taken)[math.ceil(share * len(taken)) - 1]
    found = percentile(Counter(map(bound, taken)), share)
    assert found is not None
    assert true <= found <= max(true, 1) * GROWTH


def test_there_is_no_percentile_of_nothing() -> None:
    assert percentile({}, 0.5) is None


NOW = datetime(2026, 3, 1, 12, 0)


@pytest.mark.parametrize(
    ("counted_at", "first", "days"),
    [
        (None, None, []),
        (None, datetime(2026, 2, 27, 9), [date(2026, 2, 27), date(2026, 2, 28), date(2026, 3, 1)]),
        (datetime(2026, 3, 1, 11, 59), datetime(2025, 1, 1), [date(2026, 3, 1)]),
        (datetime(2026, 3, 1, 0, 30), datetime(2025, 1, 1), [date(2026, 2, 28), date(2026, 3, 1)]),
        (datetime(2026, 2, 27, 8), None, [date(2026, 2, 27), date(2026, 2, 28), date(2026, 3, 1)]),
    ],
    ids=["nothing was said", "the first time", "a minute later", "just after midnight", "after a pause of two days"],
)
def test_what_is_stale(counted_at: datetime | None, first: datetime | None, days: list[date]) -> None:
    assert stale(counted_at, NOW, first) == days


NOW = datetime(2026, 3, 1, 12)
LONG_AGO = NOW - timedelta(hours=2)


@pytest.mark.parametrize(
    ("done_at", "held_until", "verdict"),
    [
        (NOW - timedelta(minutes=4), None, None),
        (NOW + timedelta(seconds=3), None, None),  # clocks differ
        (LONG_AGO, None, Standstill(LONG_AGO)),
        (LONG_AGO, NOW + timedelta(seconds=10), None),  # being counted
        (LONG_AGO, NOW - timedelta(seconds=10), Standstill(LONG_AGO)),  # who counted has died over it
        (None, NOW + timedelta(seconds=10), None),
        (None, None, Standstill(None)),
    ],
)
def test_sums_are_old_when_nobody_has_counted_for_long_and_nobody_does(
    done_at: datetime | None, held_until: datetime | None, verdict: Standstill | None
) -> None:
    assert stands_still(done_at, held_until, NOW) == verdict
