"""The colours that people choose for their personas, and the ink that can be read on them."""

from __future__ import annotations

import re
from functools import lru_cache

_HEX = re.compile(r"#[0-9a-fA-F]{6}")
# Each in turn for the next persona, so that two in one talk can be told apart.
PALETTE = ("#0b6e75", "#a3222f", "#32518f", "#7a4d00", "#6b3fa0", "#1a6b3c")
DARK, LIGHT = "#000000", "#ffffff"


def is_color(text: str) -> bool:
    return _HEX.fullmatch(text) is not None


@lru_cache(maxsize=256)  # a transcript asks once a message
def ink_on(color: str) -> str:
    """Black or white, whichever can be read better on the colour; one of them always has a contrast of 4.5 and more."""
    return DARK if contrast(color, DARK) >= contrast(color, LIGHT) else LIGHT


def contrast(one: str, other: str) -> float:
    """From 1 to 21 (WCAG 2.2, "contrast ratio")."""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(color: str) -> float:
    """From 0, black, to 1 (WCAG 2.2, "relative luminance"). What is no colour counts as the grey of the table."""
    digits = color[1:] if is_color(color) else "6c757d"
    channels = (int(digits[place : place + 2], 16) / 255 for place in (0, 2, 4))
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
