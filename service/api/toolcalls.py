"""Which tools were called, with what, and what came of it."""

from __future__ import annotations

from typing import Annotated

from flask import g
from pydantic import Field

from service.api.endpoints import Group
from service.api.records import find_conversation
from service.api.shapes import ToolCallAnswer
from service.api.tokens import READ
from service.api.values import TEXT, Number, Page, Paging, page_of
from service.chat import access
from service.models import ToolLog

group = Group("Tool calls", "Which tools were called to answer, over MCP.")

Name = Annotated[str, Field(max_length=120, pattern=TEXT)]


class CallFilter(Paging):
    conversation_id: Number | None = None
    server: Name | None = None
    tool: Name | None = None


@group.get("/tool-calls", scope=READ, query=CallFilter, answer=Page[ToolCallAnswer], refusals=(404,))
def index(query: CallFilter) -> Page[ToolCallAnswer]:
    """Tool calls, the newest first."""
    found = access.tool_logs(g.user)
    if query.conversation_id is not None:
        found = found.where(ToolLog.session == find_conversation(query.conversation_id))
    for name in ("server", "tool"):
        if (value := getattr(query, name)) is not None:
            found = found.where(getattr(ToolLog, name) == value)
    rows, cursor = page_of(found, ToolLog, query)
    return Page(items=[ToolCallAnswer.of(row) for row in rows], next_cursor=cursor)
