from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.telegram.markdown import render
from service.telegram.text import LIMIT, Entity, Rich, split, units


def texts(text: str, limit: int) -> list[str]:
    return [part.text for part in split(Rich(text), limit)]


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
    assert texts(text, limit=10) == parts


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=60), st.integers(2, 12))
def test_no_part_is_too_long_and_no_word_is_lost(text: str, limit: int) -> None:
    parts = texts(text, limit)
    assert all(0 < units(part) <= limit for part in parts)
    assert "".join("".join(parts).split()) == "".join(text.split())


def test_the_limit_is_that_of_telegram() -> None:
    assert [len(part.text) for part in split(Rich("x" * (2 * LIMIT + 1)))] == [4096, 4096, 1]


def test_a_stretch_that_is_cut_goes_on_in_the_next_part() -> None:
    rich = Rich("😀 one two\nthree", (Entity("bold", 0, 2), Entity("pre", 3, 13, language="text")))
    assert split(rich, limit=11) == [
        Rich("😀 one two", (Entity("bold", 0, 2), Entity("pre", 3, 7, language="text"))),
        Rich("three", (Entity("pre", 0, 5, language="text"),)),
    ]


def test_a_link_is_whole_in_each_of_its_parts() -> None:
    rich = Rich("0123456789abc", (Entity("text_link", 8, 4, url="https://example.org"),))
    assert [part.entities for part in split(rich, limit=10)] == [
        (Entity("text_link", 8, 2, url="https://example.org"),),
        (Entity("text_link", 0, 2, url="https://example.org"),),
    ]


_marks = st.sampled_from(["**", "*", "`", "```\n", "\n", " ", "😀", "a", "[x](https://e.org)", "> ", "- ", "# "])


@given(st.lists(_marks, max_size=40).map("".join), st.integers(4, 12))
def test_every_stretch_of_a_part_lies_within_it_and_looks_as_it_did_before(markdown: str, limit: int) -> None:
    whole = render(markdown)
    for part in split(whole, limit):
        for entity in part.entities:
            assert 0 <= entity.offset < entity.offset + entity.length <= units(part.text)
    assert styled(Rich(whole.text, whole.entities)) == sorted(
        (kind, letter) for part in split(whole, limit) for kind, letter in styled(part)
    )


def styled(rich: Rich) -> list[tuple[str, str]]:
    """Each visible letter with each of its looks; white space is what splitting may drop."""
    raw = rich.text.encode("utf-16-le")
    stretches = [
        (entity.kind, raw[2 * entity.offset : 2 * (entity.offset + entity.length)].decode("utf-16-le"))
        for entity in rich.entities
    ]
    return sorted((kind, letter) for kind, text in stretches for letter in text if not letter.isspace())
