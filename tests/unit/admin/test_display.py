from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from service.admin.parts.display import code_marks, count, duration, lasting, milliseconds, pretty_text, relative, when
from service.models.base import utc_now

NOW = datetime(2026, 11, 21, 12, 0, 0)


@pytest.mark.parametrize(
    ("age", "words"),
    [
        (timedelta(seconds=3), "just now"),
        (timedelta(seconds=59), "just now"),
        (timedelta(minutes=1), "1 minute ago"),
        (timedelta(minutes=59, seconds=59), "59 minutes ago"),
        (timedelta(hours=1), "1 hour ago"),
        (timedelta(hours=47), "1 day ago"),
        (timedelta(days=45), "1 month ago"),
        (timedelta(days=800), "2 years ago"),
        (timedelta(minutes=-5), "in 5 minutes"),
        (timedelta(days=-7, seconds=2), "in 7 days"),
        (timedelta(days=-30, seconds=2), "in 30 days"),
        (timedelta(seconds=-30), "in a moment"),
        (timedelta(seconds=-2), "just now"),
    ],
)
def test_a_time_reads_as_a_person_would_say_it(age: timedelta, words: str) -> None:
    assert relative(NOW - age, NOW) == words


def test_the_exact_time_is_there_on_hover_and_for_machines() -> None:
    shown = when(datetime(2020, 1, 2, 3, 4, 5, 678))
    assert 'title="2020-01-02 03:04:05 UTC"' in shown
    assert 'datetime="2020-01-02T03:04:05Z"' in shown


def test_how_long_something_has_lasted_has_the_exact_time_too() -> None:
    shown = lasting(utc_now() - timedelta(hours=3, minutes=1))
    assert "3 hours</time>" in shown
    assert "UTC" in shown
    assert "0 seconds" in lasting(utc_now() + timedelta(seconds=5)), "clocks differ"


def test_no_time_is_a_dash() -> None:
    assert "–" in when(None)


@pytest.mark.parametrize(("number", "words"), [(0, "0 rows"), (1, "1 row"), (12345, "12,345 rows")])
def test_counts_agree_with_their_noun(number: int, words: str) -> None:
    assert count(number, "row") == words


@pytest.mark.parametrize(("duration", "words"), [(None, "–"), (0, "0 ms"), (999, "999 ms"), (1540, "1.5 s")])
def test_durations_keep_the_unit_that_fits(duration: int | None, words: str) -> None:
    assert milliseconds(duration) == words


@pytest.mark.parametrize(
    ("span", "words"),
    [
        (timedelta(), "0 seconds"),
        (timedelta(seconds=1.9), "1 second"),
        (timedelta(seconds=119), "1 minute"),
        (timedelta(days=3, hours=23), "3 days"),
    ],
)
def test_a_span_of_time_keeps_its_largest_unit(span: timedelta, words: str) -> None:
    assert duration(span) == words


@pytest.mark.parametrize(
    ("text", "shown"),
    [('{"a":[1]}', '{\n  "a": [\n    1\n  ]\n}'), ("not JSON {", "not JSON {"), ("[" * 100_000, "[" * 100_000)],
)
def test_text_that_is_json_is_laid_out_and_any_other_is_left_alone(text: str, shown: str) -> None:
    assert pretty_text(text) == shown


def test_commands_in_a_sentence_are_set_as_code_and_everything_else_is_escaped() -> None:
    assert code_marks("Run `a <b>` <now>") == "Run <code>a &lt;b&gt;</code> &lt;now&gt;"
