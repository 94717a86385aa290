"""Python source for a migration, laid out as `ruff format` does it, without needing ruff."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

WIDTH = 120


@dataclass(frozen=True)
class Text:
    """A string literal."""

    value: str


@dataclass(frozen=True)
class Group:
    """`head(item, name=item)`; with other brackets a list or a tuple. `is_tall`: always an item a line."""

    head: str
    items: tuple[tuple[str, Source], ...]
    brackets: str = "()"
    is_tall: bool = False


Source = Text | Group | str


def call(head: str, *items: Source, **named: Source) -> Group:
    return Group(head, (*(("", item) for item in items), *named.items()))


def tall(source: Group) -> Group:
    return replace(source, is_tall=True)


def listed(items: Iterable[Source]) -> Group:
    return Group("", tuple(("", item) for item in items), "[]")


def tupled(items: Iterable[Source]) -> Group:
    return Group("", tuple(("", item) for item in items))


def quoted(text: str) -> str:
    """A literal in double quotes, or in single ones where that needs fewer backslashes."""
    quote = "'" if text.count('"') > text.count("'") else '"'
    return quote + "".join(_escaped(character, quote) for character in text) + quote


def lay_out(source: Source, *, indent: int = 0, before: int = 0, after: int = 0) -> str:
    """The source with lines of at most WIDTH. It begins in column `before` of a line that is indented by `indent`;
    `after` more characters follow it on its last line."""
    line = _flat(source)
    is_tall = isinstance(source, Group) and source.is_tall
    if isinstance(source, str) or (before + len(line) + after <= WIDTH and not is_tall):
        return line
    if isinstance(source, Text):
        pieces = _pieces(source.value, WIDTH - max(indent, before) - after)
        return ("\n" + " " * indent).join(map(quoted, pieces))
    inner = indent + 4
    lines = []
    for name, item in source.items:
        begin = f"{name}=" if name else ""
        text = lay_out(item, indent=inner, before=inner + len(begin), after=1)
        lines.append(f"{' ' * inner}{begin}{text},")
    return "\n".join([source.head + source.brackets[0], *lines, " " * indent + source.brackets[1]])


def statement(begin: str, source: Source, *, indent: int) -> str:
    """`begin` and the source, indented, as whole lines."""
    return " " * indent + begin + lay_out(source, indent=indent, before=indent + len(begin))


def _flat(source: Source) -> str:
    if isinstance(source, str):
        return source
    if isinstance(source, Text):
        return quoted(source.value)
    items = [f"{name}={_flat(item)}" if name else _flat(item) for name, item in source.items]
    is_single_tuple = not source.head and source.brackets == "()" and len(items) == 1
    return source.head + source.brackets[0] + ", ".join(items) + ("," if is_single_tuple else "") + source.brackets[1]


def _escaped(character: str, quote: str) -> str:
    if character in (quote, "\\"):
        return "\\" + character
    return character if character.isprintable() else repr(character)[1:-1]


def _pieces(text: str, width: int) -> Sequence[str]:
    """The text in pieces that end after a space where they can."""
    pieces, rest = [], text
    while len(quoted(rest)) > width:
        cut = rest.rfind(" ", 1, width - 10 - rest[:width].count("\\")) + 1
        cut = cut if cut > 0 else width // 2
        pieces.append(rest[:cut])
        rest = rest[cut:]
    return [*pieces, rest]
