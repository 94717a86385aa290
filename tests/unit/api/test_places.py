from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.api.places import BEGINNING, end_of, read, rest
from service.chat.text import presentable

TEXT = st.text(st.characters(exclude_categories=["Cs"]))


@given(TEXT, TEXT)
def test_who_has_read_the_beginning_gets_what_follows(beginning: str, more: str) -> None:
    assert rest(beginning + more, read(str(end_of(beginning)))) == more


@given(TEXT, TEXT)
def test_who_has_read_another_text_is_told_so(known: str, text: str) -> None:
    follows = rest(text, end_of(known))
    assert follows == (text[len(known) :] if text.startswith(known) else None)


@given(st.lists(st.text()))
def test_what_is_shown_of_an_answer_is_the_beginning_of_what_becomes_of_it(pieces: list[str]) -> None:
    whole = presentable("".join(pieces))
    for number in range(len(pieces)):
        assert whole.startswith(presentable("".join(pieces[:number])))


@pytest.mark.parametrize("text", ["", "0-", "-", "x-1", "-5-ab", "١٢-ab", "99999999999999999999-ab", "🐙"])
def test_a_mangled_place_is_the_beginning(text: str) -> None:
    assert read(text) == BEGINNING
    assert rest("All of it", read(text)) == "All of it"


def test_a_place_that_nobody_was_ever_at_is_none() -> None:
    assert rest("All of it", read("3-abc")) is None
    assert rest("", read("3-abc")) is None
    assert rest("All of it", read("0-abc")) is None
