"""What was searched for, marked in what was found."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from service.chat.search import Piece, excerpt, highlight


@pytest.mark.parametrize(
    ("content", "question", "marked"),
    [
        ("The Ferry leaves", "ferry", "The [Ferry] leaves"),
        ("Fähren und Fahrten", "fahr", "[Fähren] und [Fahrten]"),
        ("one two three", "two thr", "one [two] [three]"),
        ("one two", "one three", "[one] two"),
        ("有天气预报吗", "天气预报", "有[天气预报]吗"),
        ("<b>ferry</b>", "ferry", "<b>[ferry]</b>"),
        ("e\u0301te\u0301 ici", "ete", "[e\u0301te\u0301] ici"),
        ("nothing here", "ferry", "nothing here"),
        ("nothing here", "…", "nothing here"),
        ("", "ferry", ""),
    ],
)
def test_what_was_asked_for_is_marked(content: str, question: str, marked: str) -> None:
    pieces = highlight(content, question)
    assert shown(pieces) == marked
    assert "".join(piece.text for piece in pieces) == content


@given(st.text(), st.text())
def test_marking_loses_no_character(content: str, question: str) -> None:
    assert "".join(piece.text for piece in highlight(content, question)) == content


def test_an_excerpt_shows_the_first_place_with_what_is_around_it() -> None:
    content = "word " * 100 + "the ferry leaves " + "word " * 100
    pieces = excerpt(content, "ferry", 60)
    assert shown(pieces) == "…word word the [ferry] leaves word word word word word word wor…"
    assert shown(excerpt("The ferry.", "ferry", 60)) == "The [ferry]."
    assert shown(excerpt("ferry ferryman sails", "ferry", 10)) == "[ferry] [ferr]…", "a mark ends where the text does"
    assert shown(excerpt("Nothing " * 20, "ferry", 16)) == "Nothing Nothing …"


def shown(pieces: list[Piece]) -> str:
    return "".join(f"[{piece.text}]" if piece.is_hit else piece.text for piece in pieces)


ASCII = st.text(st.sampled_from("ab B.-7 "), max_size=40) | st.text(st.characters(max_codepoint=127))
LONG = st.integers(60, 70).map(lambda length: "a" * length)


@given(st.lists(ASCII | LONG).map(" ".join), st.lists(ASCII | LONG, min_size=1).map(" ".join))
@example("a" * 70, "a" * 64)
@example("a" * 64, f"{'a' * 64} b")
@example(f"{'a' * 65} b", f"{'a' * 64} b")
def test_in_plain_letters_the_same_is_marked_as_among_others(content: str, text: str) -> None:
    assert hits(f"{content} ŋ", text) == hits(content, text)


def hits(content: str, text: str) -> list[str]:
    return [piece.text for piece in highlight(content, text) if piece.is_hit]
