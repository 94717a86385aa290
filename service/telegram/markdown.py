"""The Markdown that language models write, as Telegram shows it: plain text, and entities that say how it looks."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from markdown_it import MarkdownIt
from markdown_it.token import Token

from service.telegram.text import Entity, Rich, units

RULE = "———"
BULLET = "•"
_STYLES = {"strong": "bold", "em": "italic", "s": "strikethrough"}
# Telegram links to nothing else; other addresses are written out.
_LINKABLE = ("http://", "https://", "tg://", "mailto:")


def render(markdown: str) -> Rich:
    """What is shown for the Markdown; where that would be nothing at all, the text as it is."""
    writer = _Writer()
    writer.blocks(_parser().parse(markdown))
    rich = writer.finished()
    return rich if rich.text.strip() else Rich(markdown, ())


@functools.cache
def _parser() -> MarkdownIt:
    """Without HTML and link definitions: what looks like one is text that somebody wants to read."""
    return MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"]).disable("reference")


class _Opened(NamedTuple):
    kind: str
    offset: int
    url: str | None


class _Writer:
    """Writes token after token. Blocks are a blank line apart, or in a tight list a line."""

    def __init__(self) -> None:
        self._text: list[str] = []
        self._length = 0  # in UTF-16 units, as entities count
        self._entities: list[Entity] = []
        self._open: list[_Opened] = []
        self._lists: list[int | None] = []  # the next number, or None for bullets
        self._quotes = 0
        self._gap = ""

    def finished(self) -> Rich:
        return Rich("".join(self._text), tuple(sorted(self._entities, key=lambda entity: entity.offset)))

    def blocks(self, tokens: Sequence[Token]) -> None:
        rest = iter(tokens)
        for token in rest:
            if token.type == "table_open":
                self._code(_table(rest), None)
            elif token.type == "inline":
                self._inline(token.children or [])
            elif token.type in ("fence", "code_block"):
                self._code(token.content.rstrip("\n"), (token.info.split() or [""])[0] or None)
            elif token.type == "hr":
                self._write(RULE)
                self._apart()
            else:
                self._structure(token)

    def _structure(self, token: Token) -> None:
        match token.type:
            case "heading_open":
                self._begin("bold")
            case "heading_close":
                self._end()
                self._apart()
            case "paragraph_close":
                self._apart("\n" if token.hidden else "\n\n")
            case "blockquote_open":
                self._quote()
            case "blockquote_close":
                self._unquote()
            case "bullet_list_open":
                self._lists.append(None)
            case "ordered_list_open":
                first = token.attrGet("start")
                self._lists.append(1 if first is None else int(first))
            case "bullet_list_close" | "ordered_list_close":
                self._lists.pop()
                self._apart("\n" if self._lists else "\n\n")
            case "list_item_open":
                self._item()
            case "list_item_close":
                self._apart("\n")

    def _item(self) -> None:
        number = self._lists[-1]
        if number is not None:
            self._lists[-1] = number + 1
        mark = BULLET if number is None else f"{number}."
        self._write("  " * (len(self._lists) - 1) + mark + " ")

    def _quote(self) -> None:
        """Telegram knows no quote within a quote."""
        self._quotes += 1
        if self._quotes == 1:
            self._begin("blockquote")

    def _unquote(self) -> None:
        self._quotes -= 1
        if self._quotes == 0:
            self._end()
        self._apart()

    def _inline(self, tokens: Sequence[Token]) -> None:
        for token in tokens:
            name, _, end = token.type.partition("_")
            if name in _STYLES and end:
                self._begin(_STYLES[name]) if end == "open" else self._end()
            elif token.type == "link_open":
                self._begin("text_link", str(token.attrGet("href") or ""))
            elif token.type == "link_close":
                self._end()
            elif token.type == "image":
                self._image(token)
            elif token.type == "code_inline":
                self._begin("code")
                self._write(token.content)
                self._end()
            else:
                self._write("\n" if token.type in ("softbreak", "hardbreak") else token.content)

    def _image(self, token: Token) -> None:
        self._begin("text_link", str(token.attrGet("src") or ""))
        self._write(token.content or "image")
        self._end()

    def _code(self, content: str, language: str | None) -> None:
        self._fill_gap()
        offset = self._length
        self._write(content)
        if content.strip():
            self._entities.append(Entity("pre", offset, self._length - offset, language=language))
        self._apart()

    def _begin(self, kind: str, url: str | None = None) -> None:
        self._fill_gap()
        self._open.append(_Opened(kind, self._length, url))

    def _end(self) -> None:
        kind, offset, url = self._open.pop()
        length = self._length - offset
        if url is not None and not url.lower().startswith(_LINKABLE):
            self._write(f" ({url})" if url else "")
        elif length:
            self._entities.append(Entity(kind, offset, length, url=url))

    def _write(self, text: str) -> None:
        if text:
            self._fill_gap()
            self._text.append(text)
            self._length += units(text)

    def _apart(self, gap: str = "\n\n") -> None:
        """The gap is written only when something comes after it, outside of what was styled before it."""
        self._gap = max(self._gap, gap, key=len) if self._text else ""

    def _fill_gap(self) -> None:
        gap, self._gap = self._gap, ""
        self._text.append(gap)
        self._length += units(gap)


def _table(tokens: Iterator[Token]) -> str:
    """Rows in columns, for a font in which all letters are of one width; eats the tokens of the table."""
    rows: list[list[str]] = []
    for token in tokens:
        if token.type == "table_close":
            break
        if token.type == "tr_open":
            rows.append([])
        elif token.type == "inline":
            rows[-1].append("".join(child.content for child in token.children or []))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [" | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([lines[0], "-+-".join("-" * width for width in widths), *lines[1:]])
