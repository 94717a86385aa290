from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from service.chat.budget import TOKENS_A_TURN, estimated
from service.chat.retrieval import HEADING, Passage, Retrieved, fitted

passages = st.lists(st.builds(Passage, st.text(min_size=1, max_size=60), st.text(max_size=10)), max_size=8)


def cost(kept: tuple[Passage, ...]) -> int:
    return sum(estimated(passage.text) + estimated(passage.source) + TOKENS_A_TURN for passage in kept)


@given(passages, st.integers(0, 120))
def test_the_best_passages_are_kept_as_long_as_they_fit(found: list[Passage], tokens: int) -> None:
    kept = fitted(found, tokens)
    assert cost(kept) <= tokens
    assert kept[1:] == tuple(found[1 : len(kept)])
    if 0 < len(kept) < len(found) and kept[0] == found[0]:
        assert cost((*kept, found[len(kept)])) > tokens


def test_of_a_passage_that_is_too_long_by_itself_the_beginning_is_kept() -> None:
    assert fitted([Passage("äöü" * 100, "a.md")], 9) == (Passage("äöüäöüäö", "a.md"),)


def test_passages_are_shown_with_their_sources() -> None:
    found = Retrieved((Passage("Open until six.", "hours.md"), Passage("Berth 12 is free.", "berths.md")))
    assert found.prompt == f"{HEADING}\n\n[1] hours.md\nOpen until six.\n\n[2] berths.md\nBerth 12 is free."
    assert Retrieved().prompt == ""
