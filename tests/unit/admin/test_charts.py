from __future__ import annotations

import re
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.admin.desk.charts import Chart, Series, round_up, shares

FIRST = date(2026, 5, 1)


def chart(*values: tuple[int | None, ...], has_lines: bool = False) -> Chart:
    days = tuple(FIRST + timedelta(days=number) for number in range(len(values[0])))
    series = tuple(Series(f"series {number}", "accent", row) for number, row in enumerate(values))
    return Chart("Messages", days, series, has_lines=has_lines)


@pytest.mark.parametrize(
    ("value", "top"),
    [(0, 1), (1, 1), (2, 2), (3, 5), (5, 5), (6, 10), (10, 10), (11, 20), (4999, 5000), (5001, 10_000)],
)
def test_the_edge_of_a_picture_reads_well(value: int, top: int) -> None:
    assert round_up(value) == top


@given(st.integers(0, 10**12))
def test_the_edge_is_never_below_the_value_and_wastes_little(value: int) -> None:
    assert value <= round_up(value) <= max(value * 2.5, 1)


def test_a_bar_is_as_high_as_its_value_says() -> None:
    (half, whole) = chart((5, 10)).bars()
    assert (half.height, half.y) == (50, 50)
    assert (whole.height, whole.y) == (100, 0)
    assert half.x + half.width <= 50 <= whole.x, "each within the width of its day"


def test_a_bar_is_drawn_from_its_corner_around() -> None:
    (bar,) = chart((3, 0)).bars()
    assert bar.path == f"M5.0 {bar.y}h40.0v{bar.height}h-40.0z"


def test_bars_of_one_day_stand_on_each_other_and_the_edge_holds_their_sum() -> None:
    picture = chart((3, 0), (7, 1))
    lower, upper, alone = sorted(picture.bars(), key=lambda bar: (bar.x, -bar.y))
    assert picture.top == 10
    assert (lower.y, upper.y) == (70, 0)
    assert upper.y + upper.height == lower.y
    assert (alone.y, alone.height) == (90, 10), "a value of nothing is no bar"


def test_the_bars_of_a_series_are_one_drawing() -> None:
    first, second = Series("Read", "calm", (1, 2)), Series("Written", "accent", (3, 4))
    shapes = Chart("Tokens", (FIRST, FIRST + timedelta(days=1)), (first, second)).shapes
    assert re.findall(r'<path class="tone-(\w+)" d="([^"]+)"/>', shapes) == [
        ("calm", "M5.0 90.0h40.0v10.0h-40.0zM55.0 80.0h40.0v20.0h-40.0z"),
        ("accent", "M5.0 60.0h40.0v30.0h-40.0zM55.0 40.0h40.0v40.0h-40.0z"),
    ]


def test_over_each_day_of_a_picture_lie_its_numbers() -> None:
    shapes = chart((1200, None), (0, 7), has_lines=True).shapes
    assert re.findall(r'<rect class="hover" x="([^"]+)" width="50.0" height="100"><title>([^<]+)</title>', shapes) == [
        ("0.0", "Fri, 01 May: 1,200 · 0"),
        ("50.0", "Sat, 02 May: – · 7"),
    ]
    assert shapes.count("<polyline") == 2


def test_a_line_breaks_where_nothing_was_measured_and_a_day_alone_is_a_stroke() -> None:
    first, second = chart((10, 5, None, 10, None), has_lines=True).lines()
    assert first.points == "10.00,0.00 30.00,50.00"
    assert second.points == "65.00,0.00 75.00,0.00"


def test_a_picture_with_lines_has_no_bars_and_its_edge_is_that_of_the_highest_line() -> None:
    picture = chart((1, 2), (7, 8), has_lines=True)
    assert picture.bars() == []
    assert picture.top == 10
    assert chart((1, 2)).lines() == []


def test_the_table_says_everything_the_latest_day_first() -> None:
    assert chart((1200, None)).rows == [(FIRST + timedelta(days=1), ["–"]), (FIRST, ["1,200"])]
    assert chart((1200, None), (0, 7)).body == (
        '<tr><th scope="row">2026-05-02</th><td class="number">–</td><td class="number">7</td></tr>'
        '<tr><th scope="row">2026-05-01</th><td class="number">1,200</td><td class="number">0</td></tr>'
    )


def test_without_a_value_the_picture_knows_that_it_is_empty() -> None:
    assert chart((0, None)).is_empty
    assert chart((0, None)).bars() == []
    assert not chart((0, 1)).is_empty


def test_shares_are_of_the_largest() -> None:
    assert shares([10, 5, 0]) == [100, 50, 0]
    assert shares([0, 0]) == [0, 0]
    assert shares([]) == []
