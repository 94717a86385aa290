"""Conversations as files: JSON, JSON lines, CSV and Markdown, in pieces, however many there are."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any, NamedTuple

import peewee as pw

from service.database import connection
from service.models import ChatbotVersion, Conversation, Message, Persona, ToolLog

# What is in memory at a time: so many rows, and so many characters on their way out.
TALKS, MESSAGES, PIECE = 100, 200, 16_384
# A spreadsheet takes a cell that begins like this for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")

Record = dict[str, Any]


class Talk(NamedTuple):
    """A conversation as it is written down, and its messages, to be read before the next one is asked for."""

    about: Record
    messages: Iterator[Record]


class Piece(NamedTuple):
    """Some of the file, and how much of what was asked for is complete by its end."""

    text: str
    talks: int
    messages: int


def pieces(conversations: Any, form: str) -> Iterator[Piece]:
    """The conversations of the query (of Conversation, with its Chatbot joined) as one of FORMS, oldest first.

    No connection is held between two pieces, so that a slow reader holds none. What is said meanwhile may be in it or
    not; what was there before, and is not deleted meanwhile, is in it once."""
    tally = _Tally()
    buffer: list[str] = []
    size = 0
    for text in _WRITERS[form](tally.talks(_talks(conversations))):
        buffer.append(text)
        size += len(text)
        if size >= PIECE:
            yield Piece("".join(buffer), tally.talks_done, tally.messages_done)
            buffer, size = [], 0
    yield Piece("".join(buffer), tally.talks_done, tally.messages_done)


@dataclass
class _Tally:
    """What is written by now: a writer that asks for the next one has written the one before."""

    talks_done: int = 0
    messages_done: int = 0

    def talks(self, talks: Iterable[Talk]) -> Iterator[Talk]:
        for talk in talks:
            yield Talk(talk.about, self._messages(talk.messages))
            self.talks_done += 1

    def _messages(self, messages: Iterable[Record]) -> Iterator[Record]:
        for message in messages:
            yield message
            self.messages_done += 1


def _talks(conversations: Any) -> Iterator[Talk]:
    for batch, numbers in _batches(conversations):
        groups = groupby(_messages(batch), key=lambda message: message["conversation_id"])
        number, messages = next(groups, (0, iter(())))
        for conversation in batch:
            about = _about(conversation, numbers)
            if number == conversation.id:
                yield Talk(about, messages)
                number, messages = next(groups, (0, iter(())))
            else:
                yield Talk(about, iter(()))


def _batches(conversations: Any) -> Iterator[tuple[list[Conversation], dict[int, int]]]:
    """Some conversations at a time, with the numbers of the versions that they name."""
    last = 0
    while True:
        with connection():
            batch = list(conversations.where(Conversation.id > last).order_by(Conversation.id).limit(TALKS))
            versions = ChatbotVersion.select(ChatbotVersion.id, ChatbotVersion.number)
            named = versions.where(ChatbotVersion.id.in_([row.__data__["chatbot_version"] for row in batch]))
            rows: Any = named.tuples()
            numbers: dict[int, int] = dict(rows)
        if not batch:
            return
        last = batch[-1].id
        yield batch, numbers


def _messages(batch: list[Conversation]) -> Iterator[Record]:
    """All messages of these conversations, each conversation's together and in order."""
    is_theirs = Message.conversation.in_([conversation.id for conversation in batch])
    query = Message.select(Message, Persona).join(Persona, pw.JOIN.LEFT_OUTER).where(is_theirs)
    query = query.order_by(Message.conversation, Message.id).limit(MESSAGES)
    place: tuple[int, int] = (0, 0)
    while True:
        with connection():
            rows = list(query.where(pw.Tuple(Message.conversation, Message.id) > pw.Tuple(*place)))
            calls = _calls([row.id for row in rows])
        yield from (_said(row, calls.get(row.id, [])) for row in rows)
        if len(rows) < MESSAGES:
            return
        place = (rows[-1].__data__["conversation"], rows[-1].id)


def _calls(messages: list[int]) -> dict[int, list[Record]]:
    calls: dict[int, list[Record]] = {}
    for call in ToolLog.select().where(ToolLog.message.in_(messages)).order_by(ToolLog.id):
        shown = {
            name: getattr(call, name) for name in ("server", "tool", "arguments", "result", "error", "duration_ms")
        }
        calls.setdefault(call.__data__["message"], []).append(shown)
    return calls


def _about(conversation: Conversation, numbers: Mapping[int, int]) -> Record:
    return {
        "id": conversation.id,
        "title": conversation.title,
        "chatbot_id": conversation.chatbot.id,
        "chatbot": conversation.chatbot.title,
        "version": numbers.get(conversation.__data__["chatbot_version"]),
        "channel": conversation.channel,
        "thread": conversation.thread,
        "created_at": _moment(conversation.created_at),
        "updated_at": _moment(conversation.updated_at),
    }


def _said(message: Message, calls: list[Record]) -> Record:
    return {
        "id": message.id,
        "conversation_id": message.conversation_id,
        "role": message.role,
        "content": message.content,
        "persona": message.persona.name if message.persona else None,
        "reply_to": message.__data__["reply_to"],
        "created_at": _moment(message.created_at),
        "duration_ms": message.duration_ms,
        "input_tokens": message.input_tokens,
        "output_tokens": message.output_tokens,
        "error": message.error,
        "tool_calls": calls,
    }


def _moment(moment: datetime) -> str:
    return f"{moment.isoformat(timespec='milliseconds')}Z"


def _json(talks: Iterable[Talk]) -> Iterator[str]:
    yield "["
    for number, talk in enumerate(talks):
        yield ",\n" if number else "\n"
        yield f'{_dump(talk.about)[:-1]}, "messages": ['
        for place, message in enumerate(talk.messages):
            yield f"{',' if place else ''}\n  {_dump(message)}"
        yield "]}"
    yield "\n]\n"


def _json_lines(talks: Iterable[Talk]) -> Iterator[str]:
    """A line for each message; it says of its conversation what the other forms say above it."""
    for talk in talks:
        about = {name: talk.about[name] for name in ("title", "chatbot_id", "chatbot", "version", "channel", "thread")}
        for message in talk.messages:
            yield f"{_dump({**message, 'conversation': about})}\n"


def _csv(talks: Iterable[Talk]) -> Iterator[str]:
    talked = ("id", "title", "chatbot", "version", "channel", "thread")
    said = (
        *("id", "created_at", "role", "persona", "content"),
        *("reply_to", "duration_ms", "input_tokens", "output_tokens", "error"),
    )
    yield csv_row([*(f"conversation_{name}" for name in talked), *(f"message_{name}" for name in said)])
    for talk in talks:
        about = [talk.about[name] for name in talked]
        for message in talk.messages:
            yield csv_row([*about, *(message[name] for name in said)])


def csv_row(cells: Iterable[Any]) -> str:
    """One line of CSV, in which no spreadsheet finds a formula."""
    line = io.StringIO()
    csv.writer(line).writerow([_cell(cell) for cell in cells])
    return line.getvalue()


def _cell(value: Any) -> Any:
    """Text that a spreadsheet would run as a formula begins with an apostrophe, which spreadsheets don't show."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def _markdown(talks: Iterable[Talk]) -> Iterator[str]:
    for talk in talks:
        about = talk.about
        version = f", version {about['version']}" if about["version"] else ""
        yield f"# {about['title']}\n\n{about['chatbot']}{version}, {about['channel']}, {about['created_at']}\n\n"
        for message in talk.messages:
            persona = f" as {message['persona']}" if message["persona"] else ""
            yield f"**{message['role']}{persona}**, {message['created_at']}\n\n"
            for call in message["tool_calls"]:
                yield f"- called {call['server']}/{call['tool']}{': failed' if call['error'] else ''}\n"
            # Quoted line by line: whatever was said, it can't look like the next speaker.
            yield "".join(f"> {line}\n" for line in message["content"].splitlines()) + "\n"


def _dump(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


_WRITERS: dict[str, Callable[[Iterable[Talk]], Iterator[str]]] = {
    "json": _json,
    "jsonl": _json_lines,
    "csv": _csv,
    "md": _markdown,
}
# form, which is the file's extension too: media type
FORMS = {
    "json": "application/json",
    "jsonl": "application/jsonl",
    "csv": "text/csv; charset=utf-8",
    "md": "text/markdown; charset=utf-8",
}
