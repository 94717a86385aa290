"""How far somebody has read of an answer that is still being written, and what follows."""

from __future__ import annotations

import hashlib
from typing import NamedTuple


class Place(NamedTuple):
    """So many characters, and a mark of what they were: an answer that was begun anew is told from one that went on."""

    length: int = 0
    mark: str = ""

    def __str__(self) -> str:
        return f"{self.length}-{self.mark}"


BEGINNING = Place()


def end_of(text: str) -> Place:
    return Place(len(text), _mark(text)) if text else BEGINNING


def read(text: str) -> Place:
    """From the form in which a client has it; the beginning, for what is no place."""
    length, _, mark = text.partition("-")
    return Place(int(length), mark) if length.isascii() and length.isdecimal() and len(length) < 10 else BEGINNING


def rest(text: str, place: Place) -> str | None:
    """What of the text follows; None where somebody who has read so far has read another text."""
    return text[place.length :] if end_of(text[: place.length]) == place else None


def _mark(text: str) -> str:
    return hashlib.blake2s(text.encode(), digest_size=8).hexdigest()
