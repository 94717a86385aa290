"""Conversations as files: as they are, or line by line with how far it is, for the script of the page."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any, NamedTuple

from flask import Response, g, request

from service import audit
from service.admin.parts import errors
from service.api import clients, pieces, replies
from service.chat import export
from service.chat.export import Piece
from service.models import Conversation, Message

LINES = "application/x-ndjson"
BUSY = ("Too many downloads are under way", "Try again in a moment.")


class Measure(NamedTuple):
    """What is counted on the way: all of it once before, by the query; then what is complete, by the piece."""

    noun: str
    of: Callable[[Any], int]
    done: Callable[[Piece], int]


class File(NamedTuple):
    """`conversations` is a query as export takes it; `form` is the extension too."""

    stem: str
    form: str
    conversations: Any
    measure: Measure

    @property
    def name(self) -> str:
        return f"{self.stem}.{self.form}"


def _count_messages(conversations: Any) -> int:
    return int(Message.select().where(Message.conversation.in_(conversations.select(Conversation.id))).count())


TALKS = Measure("conversation", lambda conversations: int(conversations.count()), lambda piece: piece.talks)
MESSAGES = Measure("message", _count_messages, lambda piece: piece.messages)


def send(file: File, details: dict[str, Any]) -> Response | tuple[str, int]:
    """In pieces, which take as long as the reader does: so only where a thread can be spared for it."""
    with ExitStack() as held:
        if not held.enter_context(replies.seat()):
            return errors.page(503, BUSY)
        response = _measured(file) if request.accept_mimetypes.best == LINES else _plain(file)
        audit.record(g.user, "conversation.export", file.stem, address=request.remote_addr, details=details)
        clients.limit_patience()
        response.call_on_close(held.pop_all().close)
    return response


def _plain(file: File) -> Response:
    response = Response(
        (piece.text for piece in pieces.of(file.conversations, file.form, file.name)),
        content_type=export.FORMS[file.form],
    )
    response.headers["Content-Disposition"] = f'attachment; filename="{file.name}"'
    return response


def _measured(file: File) -> Response:
    of = file.measure.of(file.conversations)
    # By this header nginx passes each line on as it comes.
    return Response(_lines(file, of), content_type=LINES, headers={"X-Accel-Buffering": "no"})


def _lines(file: File, of: int) -> Iterator[str]:
    """What it will be, then the pieces, and at the end that it is whole: without that, something is missing."""
    yield _line(name=file.name, type=export.FORMS[file.form], noun=file.measure.noun, of=of)
    for piece in pieces.of(file.conversations, file.form, file.name):
        yield _line(done=file.measure.done(piece), text=piece.text)
    yield _line(is_whole=True)


def _line(**fields: Any) -> str:
    return f"{json.dumps(fields, ensure_ascii=False)}\n"
