from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.admin.parts.color import PALETTE, contrast, ink_on, is_color


@pytest.mark.parametrize(
    ("color", "ink"), [("#ffffff", "#000000"), ("#000000", "#ffffff"), ("#ffd400", "#000000"), ("#0b6e75", "#ffffff")]
)
def test_the_ink_is_the_one_that_can_be_read(color: str, ink: str) -> None:
    assert ink_on(color) == ink


def test_the_contrast_runs_from_1_to_21_and_does_not_depend_on_the_order() -> None:
    assert contrast("#123456", "#123456") == 1
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#0b6e75", "#ffffff") == contrast("#ffffff", "#0b6e75") == pytest.approx(6.0, abs=0.05)


@given(st.integers(0, 0xFFFFFF))
def test_on_every_colour_the_ink_has_the_contrast_that_small_text_needs(number: int) -> None:
    color = f"#{number:06x}"
    assert contrast(color, ink_on(color)) >= 4.5


def test_what_is_no_colour_is_told_apart_and_breaks_nothing() -> None:
    assert all(map(is_color, PALETTE))
    for text in ("", "red", "#12345", "#12345g", "#1234567", '#fff"/><', "#１２３４５６"):
        assert not is_color(text)
        assert ink_on(text) == ink_on("#6c757d")
