"""How far a backfill is, in words and as a bar."""

from __future__ import annotations

import pytest

from service.migrate.backfilling.tally import Bar, Tally, in_words

START = Tally("messages", total=1_000_000)


@pytest.mark.parametrize(
    ("tally", "words"),
    [
        (
            Tally("messages", 1_000_000, 520_000, seconds=40.0),
            "messages: 520,000 of 1,000,000 rows (52 %), 13,000 rows/s, 0:37 left",
        ),
        (
            Tally("messages", 1_000_000, 520_000, before=500_000, seconds=10.0),
            "messages: 520,000 of 1,000,000 rows (52 %), 2,000 rows/s, 4:00 left",
        ),
        (
            Tally("messages", 100_000_000, 1_000, seconds=1.0),
            "messages: 1,000 of 100,000,000 rows (0 %), 1,000 rows/s, 27:46:39 left",
        ),
        (
            Tally("messages", 90_000, 90_000, seconds=90.4, is_over=True),
            "messages: 90,000 of 90,000 rows (100 %), 996 rows/s, in 1:30",
        ),
        (Tally("messages", 1, 1, before=1, seconds=0.1), "messages: 1 of 1 row (100 %)"),
        (Tally("messages", 0, 0, seconds=0.1), "messages: 0 of 0 rows (100 %)"),
    ],
)
def test_in_words(tally: Tally, words: str) -> None:
    assert in_words(tally) == words


def said(bar: Bar, *seconds: float) -> list[str]:
    return [bar.text(START._replace(done=round(1000 * each), seconds=each)) for each in (0.0, *seconds)]


def test_a_log_gets_a_line_every_few_seconds() -> None:
    assert said(Bar(is_terminal=False), 0.1, 4.9, 5.1, 9.9, 10.2) == [
        "",
        "",
        "",
        "    messages: 5,100 of 1,000,000 rows (0 %), 1,000 rows/s, 16:35 left\n",
        "",
        "    messages: 10,200 of 1,000,000 rows (1 %), 1,000 rows/s, 16:30 left\n",
    ]


def test_a_terminal_gets_a_bar_that_is_drawn_over_itself() -> None:
    assert said(Bar(is_terminal=True), 0.05, 500.0, 500.05) == [
        "",
        "",
        "\r\x1b[K    messages [████████████············]  50 %  1,000 rows/s  8:20 left\r",
        "",
    ]


def test_a_second_backfill_begins_to_count_again() -> None:
    bar = Bar(is_terminal=False)
    assert said(bar, 100.0)[-1]
    assert said(bar, 1.0, 6.0)[1:] == [
        "",
        "    messages: 6,000 of 1,000,000 rows (0 %), 1,000 rows/s, 16:34 left\n",
    ]


def test_of_a_short_one_without_errors_nothing_is_said() -> None:
    assert Bar(is_terminal=False).text(Tally("messages", 9, 9, seconds=1.0, is_over=True)) == ""


def test_what_was_done_before_is_told_first() -> None:
    resumed = Tally("messages", 9, 4, before=4)
    assert Bar(is_terminal=False).text(resumed) == "    messages: goes on after 4 of 9 rows\n"


def test_rows_that_are_left_as_they_were_are_named_up_to_ten() -> None:
    failures = tuple((key, "ValueError: no") for key in range(1, 15))
    over = Tally("messages", 20, 20, failed=14, failures=failures, seconds=1.0, is_over=True)
    named = "; ".join(f"{key} (ValueError: no)" for key in range(1, 11))
    assert Bar(is_terminal=False).text(over) == (
        f"    messages: 20 of 20 rows (100 %), 20 rows/s, in 0:01, 14 left as they were: {named}; and 4 more\n"
    )
