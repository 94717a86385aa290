"""Text as Telegram takes it: no longer than a message may be, with entities that say how it looks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

LIMIT = 4096  # UTF-16 code units, as Telegram counts them


@dataclass(frozen=True)
class Entity:
    """A stretch of text that is bold, code, a link … Offset and length in UTF-16 units."""

    kind: str
    offset: int
    length: int
    url: str | None = None
    language: str | None = None


class Rich(NamedTuple):
    text: str
    entities: tuple[Entity, ...] = ()


def units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def split(rich: Rich, limit: int = LIMIT) -> list[Rich]:
    """Parts that Telegram accepts. A stretch that is cut goes on in the next part."""
    return [_part(rich, start, end) for start, end in _ranges(rich.text, limit)]


def _part(rich: Rich, start: int, end: int) -> Rich:
    first = units(rich.text[:start])
    last = first + units(rich.text[start:end])
    clipped = (_clipped(entity, first, last) for entity in rich.entities)
    return Rich(rich.text[start:end], tuple(entity for entity in clipped if entity.length > 0))


def _clipped(entity: Entity, first: int, last: int) -> Entity:
    start, end = max(entity.offset, first), min(entity.offset + entity.length, last)
    return replace(entity, offset=start - first, length=end - start)


def _ranges(text: str, limit: int) -> list[tuple[int, int]]:
    """Where the parts begin and end, without the white space around them: cut at a line end or a space, where there is
    one in the second half of what would fit."""
    ranges, start = [], 0
    while start < len(text):
        longest = text[start : start + limit].encode("utf-16-le")[: 2 * limit].decode("utf-16-le", "ignore")
        size = len(longest) if start + len(longest) == len(text) else _cut(longest)
        part = text[start : start + size]
        if part.strip():
            begin = start + len(part) - len(part.lstrip())
            ranges.append((begin, start + len(part.rstrip())))
        start += size
    return ranges


def _cut(longest: str) -> int:
    marks = (longest.rfind("\n"), longest.rfind(" "))
    return next((mark + 1 for mark in marks if mark >= len(longest) // 2), len(longest))
