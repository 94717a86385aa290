"""Conversations as files to download."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any, Literal

from flask import Response, g
from pydantic import Field

from service.api import pieces, replies
from service.api.clients import limit_patience
from service.api.conversations import Filter, narrowed
from service.api.endpoints import Group
from service.api.problems import Problem
from service.api.records import find_conversation
from service.api.tokens import EXPORT
from service.api.values import Request
from service.chat import access, export
from service.models import Conversation
from service.models.base import utc_now

group = Group("Exports", "Conversations as files to download.")

Form = Literal["json", "jsonl", "csv", "md"]
MEDIA = tuple(kind.partition(";")[0] for kind in export.FORMS.values())


class OneExport(Request):
    format: Form = Field(
        "json", description="`jsonl` has a line for each message, `csv` a row, `md` is to be read by people."
    )


class ManyExport(Filter, OneExport):
    pass


@group.get("/conversations/<int:conversation_id>/export", scope=EXPORT, query=OneExport, media=MEDIA)
def one(conversation_id: int, query: OneExport) -> Response:
    """Download a conversation."""
    conversation = find_conversation(conversation_id)
    chosen = access.conversations(g.user).where(Conversation.id == conversation.id)
    return _file(chosen, query.format, f"conversation-{conversation.id}")


@group.get("/export", scope=EXPORT, query=ManyExport, media=MEDIA, refusals=(404,))
def many(query: ManyExport) -> Response:
    """Download all conversations, or those that a filter lets through, the oldest first.

    503 when too many downloads and answers are under way already."""
    return _file(narrowed(query), query.format, f"conversations-{utc_now():%Y-%m-%d}")


def _file(conversations: Any, form: str, name: str) -> Response:
    with ExitStack() as held:
        if not held.enter_context(replies.seat()):
            raise Problem(503, "Too many downloads are under way; try again in a moment.", headers={"Retry-After": "5"})
        let_go = held.pop_all()
    limit_patience()
    texts = (piece.text for piece in pieces.of(conversations, form, name))
    response = Response(texts, content_type=export.FORMS[form])
    response.call_on_close(let_go.close)
    response.headers["Content-Disposition"] = f'attachment; filename="{name}.{form}"'
    return response
