"""Cut SQL text into statements at the semicolons that end one: not those in strings, comments, bodies or triggers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

# What may hide a semicolon, and the semicolon itself. PostgreSQL manual, section 4.1: lexical structure.
_TOKEN = re.compile(
    r"""
      (?P<comment> --[^\n]* | /\* )
    | (?P<escaped> (?<!\w)[eE]'(?:[^'\\]|''|\\.)*(?:'|\Z) )
    | (?P<quoted>  '(?:[^']|'')*(?:'|\Z) | "(?:[^"]|"")*(?:"|\Z) | `[^`]*(?:`|\Z) )
    | (?P<dollar>  (?<!\w)\$(?P<tag>(?:[^\W\d]\w*)?)\$ )
    | (?P<end>     ; )
    """,
    re.VERBOSE | re.DOTALL,
)
_ATOMIC_BODY = re.compile(r"\bBEGIN\s+ATOMIC\b", re.IGNORECASE)
_BODY_END = re.compile(r"\bEND\s*;?\s*\Z", re.IGNORECASE)


class Statement(NamedTuple):
    """One statement without its semicolon, and the line of the text that it begins in, from 1."""

    sql: str
    line: int


def split(text: str, *, is_sqlite: bool) -> list[Statement]:
    """The statements of `text` in order; pieces that hold nothing but comments are left out."""
    statements, start, line, counted = [], 0, 1, 0
    for end in [*_ends(text), len(text)]:
        piece = text[start:end]
        if end < len(text) and not _is_complete(piece, is_sqlite):
            continue
        body = _without_leading_comments(piece)
        if body.strip():
            begin = end - len(body)
            line, counted = line + text.count("\n", counted, begin), begin
            statements.append(Statement(body.strip(), line))
        start = end + 1
    return statements


def _ends(text: str) -> Iterator[int]:
    position = 0
    while match := _TOKEN.search(text, position):
        position = match.end()
        if match["end"]:
            yield match.start()
        elif match["comment"] == "/*":
            position = _after_block_comment(text, position)
        elif match["dollar"]:
            closing = text.find(match["dollar"], position)
            position = len(text) if closing < 0 else closing + len(match["dollar"])


def _after_block_comment(text: str, position: int) -> int:
    """PostgreSQL's block comments nest; SQLite's do not, but nobody nests them there."""
    depth = 1
    while depth and (match := re.compile(r"/\*|\*/").search(text, position)):
        depth += 1 if match[0] == "/*" else -1
        position = match.end()
    return len(text) if depth else position


def _is_complete(piece: str, is_sqlite: bool) -> bool:
    """Whether a semicolon after `piece` ends it, or stands in the body of a trigger or of a function."""
    if is_sqlite:
        import sqlite3  # here, so that PostgreSQL users do not pay for it

        return sqlite3.complete_statement(piece + ";")
    return not _ATOMIC_BODY.search(piece) or bool(_BODY_END.search(piece))


def _without_leading_comments(piece: str) -> str:
    rest = piece.lstrip()
    while rest.startswith(("--", "/*")):
        is_line = rest.startswith("--")
        cut = (rest.find("\n") + 1 or len(rest)) if is_line else _after_block_comment(rest, 2)
        rest = rest[cut:].lstrip()
    return rest
