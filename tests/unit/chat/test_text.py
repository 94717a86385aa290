from __future__ import annotations

import pytest

from service.chat.text import shortened, storable, storable_metadata


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ("plain", "plain"),
        ("nul\x00 inside", "nul inside"),
        ("half a pair \ud83d", "half a pair ?"),
        ("whole 😀", "whole 😀"),
    ],
)
def test_what_postgresql_would_refuse_is_taken_out_of_text(given: str, stored: str) -> None:
    assert storable(given) == stored


def test_metadata_keeps_everything_but_the_unfit_characters() -> None:
    assert storable_metadata({"sender": "A\x00da", "chat_id": 7}) == {"sender": "Ada", "chat_id": 7}


@pytest.mark.parametrize(
    ("given", "length", "line"),
    [("two\n  lines", 20, "two lines"), ("exactly", 7, "exactly"), ("a bit too long", 6, "a bit…"), ("", 5, "")],
)
def test_a_title_is_one_line_of_limited_length(given: str, length: int, line: str) -> None:
    assert shortened(given, length) == line
