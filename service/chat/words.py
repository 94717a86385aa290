"""The words of a text, as search knows them: without case, accents and punctuation, in any script."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import cache, lru_cache
from typing import NamedTuple

LONGEST = 64
# Scripts that put no space between words: Thai, Lao, Burmese, Khmer, kana and Han.
_DENSE = (
    r"\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U0003ffff"
)
_RUN = re.compile(f"(?P<dense>[{_DENSE}]+)|[^ {_DENSE}]+")
# Of a longer run, the beginning is the word.
_WORD = re.compile(f"([^ ]{{1,{LONGEST}}})[^ ]*")
# They choose how the letter before them looks.
_VARIATION = re.compile("[\u034f\u180b-\u180f\ufe00-\ufe0f\U000e0100-\U000e01ef]")


class Word(NamedTuple):
    """A word, and where it stands in the text: text[start:end]. `is_tail`: it repeats the end of the word before."""

    text: str
    start: int
    end: int
    is_tail: bool = False


def words(text: str) -> list[str]:
    """Every word to find the text by, in the order of the text."""
    return [word.text for word in found(text)]


def wanted(text: str) -> list[str]:
    """The words that a question asks for: of a text that has them all, `found` gives each of these too, and the last
    of these may be the beginning of one."""
    return [word.text for word in found(text) if not word.is_tail]


def found(text: str) -> Iterator[Word]:
    """The words with their places. A run of letters and digits is a word; in scripts that write without spaces each
    two neighbours are one, and the last character by itself, so that each of them begins a word."""
    if text.isascii():
        for run in _WORD.finditer(plain(text)):
            yield Word(run[1], *run.span(1))
        return
    folded = [_folded(character) for character in text]
    places = [place for place, piece in enumerate(folded) for _ in piece]
    places.append(len(text))
    joined = "".join(folded)
    for run in _RUN.finditer(joined):
        width, step = (2, 1) if run["dense"] else (LONGEST, len(run[0]))
        for start in range(run.start(), run.end(), step):
            end = min(start + width, run.end())
            is_tail = width == 2 and end - start == 1 and start > run.start()
            # With the accents that follow it, and never less than a whole character.
            yield Word(joined[start:end], places[start], max(places[end], places[end - 1] + 1), is_tail)


def plain(text: str) -> str:
    """A text of ASCII as letters, digits and spaces; each character becomes one."""
    return text.translate(_ascii())


@cache
def _ascii() -> dict[int, str]:
    return {code: _folded(chr(code)) for code in range(128)}


@lru_cache(maxsize=20_000)
def _folded(character: str) -> str:
    """What the character becomes: letters and digits, nothing, or a space where it parts two words."""
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", character).casefold())
    return "".join(map(_kept, plain))


def _kept(character: str) -> str:
    kind = unicodedata.category(character)
    # An accent is an ornament; a vowel sign, which has no combining class, is a letter of its own.
    if unicodedata.combining(character) or kind in ("Cf", "Me") or _VARIATION.match(character):
        return ""
    return character if kind[0] in "LNM" else " "
