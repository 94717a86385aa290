"""Search in what was said. Both engines keep the same words for a message, so that both find the same messages."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import chain, takewhile
from typing import Any, NamedTuple

import peewee as pw

from service.chat.words import LONGEST, found, plain, wanted, words
from service.database import connection, is_sqlite, proxy, writing
from service.models import Conversation, Message
from service.models.statement import Statement

__all__ = [
    *("Found", "Piece", "excerpt", "highlight", "index", "index_missing"),
    *("kept", "matching", "newest", "said_in", "words"),
]

# A tsvector holds less than 1 MB (PostgreSQL manual, 12.11), and a question of more words than this narrows no further.
BYTES_KEPT, WORDS_ASKED, QUESTION_READ = 400_000, 24, 1_000

# Of a message that somebody deletes meanwhile, no word may be left.
_KEEP_POSTGRESQL = (
    "INSERT INTO message_search (message_id, words) "
    "SELECT id, array_to_tsvector(%s::text[]) FROM messages WHERE id = %s FOR KEY SHARE "
    "ON CONFLICT (message_id) DO UPDATE SET words = excluded.words"
)
_KEEP_SQLITE = "INSERT OR REPLACE INTO message_search (rowid, words) SELECT id, ? FROM messages WHERE id = ?"
# Peewee would put them together four times, where one condition stands in another.
_HITS_POSTGRESQL = "SELECT message_id FROM message_search WHERE words @@ CAST(%s AS tsquery)"
_HITS_SQLITE = "SELECT rowid FROM message_search WHERE message_search MATCH ?"
# On PostgreSQL each conversation is gone through from its end until there is a hit. By itself, its planner sorts what
# it has found at the end, and looks up the words of every message for it.
_NEWEST = Statement(
    """
    SELECT conversation_id, id, content FROM messages WHERE id IN (
        SELECT max(id) FROM messages
        WHERE conversation_id IN (SELECT value FROM json_each(:conversations))
            AND id IN (SELECT rowid FROM message_search WHERE message_search MATCH :question)
        GROUP BY conversation_id)""",
    postgresql="""
    SELECT c.id, f.id, f.content FROM unnest(:conversations) c (id), LATERAL (
        SELECT m.id, m.content
        FROM (SELECT id, content FROM messages WHERE conversation_id = c.id ORDER BY id DESC OFFSET 0) m
        WHERE EXISTS (
            SELECT 1 FROM message_search s WHERE s.message_id = m.id AND s.words @@ CAST(:question AS tsquery))
        ORDER BY m.id DESC LIMIT 1) f""",
)


class Piece(NamedTuple):
    text: str
    is_hit: bool


class Found(NamedTuple):
    """A message that has the words."""

    id: int
    content: str


def index(message: Message) -> None:
    """Keep the words of the message. Belongs into the transaction that writes it."""
    _keep(message.id, kept(message))


def index_missing(limit: int, below: int | None = None) -> list[int]:
    """Do it for as many messages that have none yet, the newest first; returns their ids. Who goes on gives the last of
    them as `below`, so that what was looked at is not looked at again. That there is none left takes a look at all
    messages: ask again in an hour rather than in a second."""
    with connection() as database:
        missing = Message.select(Message.id, Message.content).where(~pw.fn.EXISTS(_kept_of_message()))
        if below is not None:
            missing = missing.where(Message.id < below)
        # Looked up and thought about before the transaction: on SQLite it keeps everybody else from writing.
        found = [(message.id, kept(message)) for message in missing.order_by(Message.id.desc()).limit(limit)]
        with writing(database):
            for number, its_words in found:
                _keep(number, its_words)
    return [number for number, _its_words in found]


def matching(text: str) -> Any:
    """A condition on Message: it has all the words of the text; the last of them may be the beginning of a word. A text
    without words matches nothing."""
    return Message.id.in_(_found(text))


def said_in(text: str) -> Any:
    """A condition on Conversation: one of its messages matches."""
    return Conversation.id.in_(_found(text, "SELECT conversation_id FROM messages WHERE id IN ({})"))


def _found(text: str, those: str = "{}") -> Any:
    question = _question(text)
    hits = _HITS_SQLITE if is_sqlite(proxy.obj) else _HITS_POSTGRESQL
    return pw.SQL(f"({those.format(hits)})", (question,)) if question else []


def newest(text: str, conversations: list[int]) -> dict[int, Found]:
    """The newest message that matches, of each of the conversations that has one."""
    question = _question(text)
    with connection():
        rows = _NEWEST.rows(question=question, conversations=conversations) if question and conversations else []
    return {conversation: Found(*message) for conversation, *message in rows}


def _question(text: str) -> str:
    """In the engine's own language; empty where there is nothing to ask for."""
    asked = _asked(text)
    if not asked:
        return ""
    if is_sqlite(proxy.obj):
        return " ".join(f'"{_opaque(word)}"' for word in asked) + "*"
    return " & ".join(f"'{word}'" for word in asked) + ":*"  # words hold neither quotes nor backslashes


@lru_cache(maxsize=64)  # a list asks once a row
def _asked(text: str) -> tuple[str, ...]:
    return tuple(wanted(text[:QUESTION_READ])[:WORDS_ASKED])


def highlight(content: str, text: str) -> list[Piece]:
    """The content, cut into what the text asks for and what stands between."""
    return _pieces(content, 0, len(content), _hits(content, text))


def excerpt(content: str, text: str, length: int = 240) -> list[Piece]:
    """About so many characters around the first place that the text asks for, highlighted."""
    hits = _hits(content, text)
    first = next(hits, (0, 0))
    start = max(0, min(first[0] - length // 4, len(content) - length))
    # A word that the cut would halve is left out, if it is not too long for that.
    start = content.find(" ", start, start + 20) + 1 or start if start else 0
    end = min(start + length, len(content))
    pieces = _pieces(content, start, end, takewhile(lambda hit: hit[0] < end, chain([first], hits)))
    return [Piece("…", False)] * (start > 0) + pieces + [Piece("…", False)] * (end < len(content))


def _pieces(content: str, start: int, end: int, hits: Iterable[tuple[int, int]]) -> list[Piece]:
    """What stands from start to end, cut at the hits."""
    pieces, place = [], start
    for first, last in hits:
        pieces += [Piece(content[place:first], False), Piece(content[first : min(last, end)], True)]
        place = min(last, end)
    return [piece for piece in (*pieces, Piece(content[place:end], False)) if piece.text]


def _hits(content: str, text: str) -> Iterator[tuple[int, int]]:
    """Places in the content, in order, those that touch or overlap as one."""
    start = end = -1
    for first, last in _spans(content, _asked(text)):
        if first > end:
            if end > start:
                yield start, end
            start = first
        end = max(end, last)
    if end > start:
        yield start, end


def _spans(content: str, asked: tuple[str, ...]) -> Iterator[tuple[int, int]]:
    """The place of each word that is asked for. A list of hits looks at some hundred words a row."""
    if not asked:
        return
    if content.isascii():
        yield from (hit.span() for hit in _pattern(asked).finditer(plain(content)))
        return
    exact = set(asked)
    for word in found(content):
        if word.text in exact or word.text.startswith(asked[-1]):
            yield word.start, word.end


@lru_cache(maxsize=64)
def _pattern(asked: tuple[str, ...]) -> re.Pattern[str]:
    """What `found` would give of a text of ASCII, as far as it is asked for: of a longer run, the beginning."""
    whole = (re.escape(word) + ("" if len(word) == LONGEST else "(?![^ ])") for word in asked[:-1])
    beginning = re.escape(asked[-1]) + f"[^ ]{{0,{LONGEST - len(asked[-1])}}}"
    return re.compile(f"(?<![^ ])(?:{'|'.join([*whole, beginning])})")


def kept(message: Message) -> list[str]:
    """The words to find the message by, each once."""
    return list(_limited(dict.fromkeys(words(message.content))))


def _keep(number: int, its_words: list[str]) -> None:
    if is_sqlite(proxy.obj):
        proxy.obj.execute_sql(_KEEP_SQLITE, (" ".join(map(_opaque, its_words)), number))
    else:
        proxy.obj.execute_sql(_KEEP_POSTGRESQL, (its_words, number))


def _limited(its_words: Iterable[str]) -> Iterator[str]:
    """As many as can be stored; who writes a megabyte of different words is found by the first of them."""
    size = 0
    for word in its_words:
        size += len(word.encode()) + 8
        if size > BYTES_KEPT:
            return
        yield word


def _kept_of_message() -> Any:
    table = pw.Table("message_search")
    key = table.c.rowid if is_sqlite(proxy.obj) else table.c.message_id
    return table.select(pw.SQL("1")).where(key == Message.id)


def _opaque(word: str) -> str:
    """For FTS5, whose own idea of letters is that of Unicode 6.1: what is not ASCII goes into the private use plane,
    each UTF-16 unit to a place of its own, where nothing is folded or left out."""
    if word.isascii():
        return word
    units = word.encode("utf-16-be")
    pairs = (int.from_bytes(units[place : place + 2]) for place in range(0, len(units), 2))
    return "".join(chr(unit) if unit < 0x80 else chr(0xF0000 + unit) for unit in pairs)
