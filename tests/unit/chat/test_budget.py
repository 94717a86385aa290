from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from service.chat.budget import TOKENS_A_TURN, estimated, fitted
from service.chat.providers import Turn

turns = st.lists(st.builds(Turn, st.sampled_from(["user", "assistant"]), st.text(max_size=80)), max_size=12)


def cost(kept: tuple[Turn, ...]) -> int:
    return sum(estimated(turn.content) + TOKENS_A_TURN for turn in kept)


@given(turns, st.integers(0, 200))
def test_what_is_kept_is_the_end_of_the_talk_and_as_much_as_fits(said: list[Turn], tokens: int) -> None:
    kept = fitted(said, tokens)
    assert kept == tuple(said[len(said) - len(kept) :])
    assert cost(kept) <= tokens
    if len(kept) < len(said):
        assert cost((said[-len(kept) - 1], *kept)) > tokens


@given(turns, st.integers(0, 200), st.integers(0, 200))
def test_more_budget_never_keeps_less(said: list[Turn], tokens: int, more: int) -> None:
    assert len(fitted(said, tokens + more)) >= len(fitted(said, tokens))


@given(st.text())
def test_an_estimate_is_never_under_a_quarter_of_the_bytes(text: str) -> None:
    assert 4 * estimated(text) >= len(text.encode("utf-8", "replace"))


def test_four_bytes_are_about_a_token() -> None:
    assert [estimated(text) for text in ("", "four", "fives", "день")] == [0, 1, 2, 2]
