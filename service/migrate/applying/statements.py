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
    | (?P<paren>   [()] )
    | (?P<word>    (?<![\w.$])(?i:BEGIN\s+ATOMIC|CASE|END)(?![\w$]) )
    | (?P<end>     ; )
    """,
    re.VERBOSE | re.DOTALL,
)


class Statement(NamedTuple):
    """One statement without its semicolon, and the line of the text that it begins in, from 1."""

    sql: str
    line: int


def split(text: str, *, is_sqlite: bool) -> list[Statement]:
    """The statements of `text` in order; pieces that hold nothing but comments are left out."""
    statements, start, line, counted = [], 0, 1, 0
    for end in [*_ends(text, is_sqlite=is_sqlite), len(text)]:
        piece = text[start:end]
        if is_sqlite and end < len(text) and not _is_complete(piece):
            continue
        body = _without_leading_comments(piece)
        if body.strip():
            begin = end - len(body)
            line, counted = line + text.count("\n", counted, begin), begin
            statements.append(Statement(body.strip(), line))
        start = end + 1
    return statements


def _ends(text: str, *, is_sqlite: bool) -> Iterator[int]:
    """Where semicolons stand that may end a statement. On PostgreSQL none does within parentheses, as the commands of a
    rule are, or within a function's body from BEGIN ATOMIC to its END, where each CASE has an END of its own."""
    position = parentheses = body = 0
    while match := _TOKEN.search(text, position):
        position = match.end()
        if match["end"]:
            if is_sqlite or not (parentheses or body):
                yield match.start()
        elif match["paren"]:
            parentheses = max(0, parentheses + (1 if match["paren"] == "(" else -1))
        elif word := match["word"]:
            if body or word[0] in "bB":
                body += -1 if word[0] in "eE" else 1
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


def _is_complete(piece: str) -> bool:
    """Whether a semicolon after `piece` ends it on SQLite, or stands in the body of a trigger."""
    import sqlite3  # here, so that PostgreSQL users do not pay for it

    return sqlite3.complete_statement(piece + ";")


def _without_leading_comments(piece: str) -> str:
    rest = piece.lstrip()
    while rest.startswith(("--", "/*")):
        is_line = rest.startswith("--")
        cut = (rest.find("\n") + 1 or len(rest)) if is_line else _after_block_comment(rest, 2)
        rest = rest[cut:].lstrip()
    return rest
