from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.telegram.text import LIMIT, split


def units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("short", ["short"]),
        ("exactly 10", ["exactly 10"]),
        ("one two three four", ["one two", "three four"]),
        ("first one\nand more", ["first one", "and more"]),
        ("unbrokenandlong", ["unbrokenan", "dlong"]),
        ("😀😀😀😀😀😀", ["😀😀😀😀😀", "😀"]),
        ("a 123456789012", ["a 12345678", "9012"]),
        ("          " * 3, []),
        ("", []),
    ],
)
def test_a_long_text_is_cut_where_it_hurts_least(text: str, parts: list[str]) -> None:
    assert split(text, limit=10) == parts


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=60), st.integers(2, 12))
def test_no_part_is_too_long_and_no_word_is_lost(text: str, limit: int) -> None:
    parts = split(text, limit)
    assert all(0 < units(part) <= limit for part in parts)
    assert "".join("".join(parts).split()) == "".join(text.split())


def test_the_limit_is_that_of_telegram() -> None:
    assert [len(part) for part in split("x" * (2 * LIMIT + 1))] == [4096, 4096, 1]
