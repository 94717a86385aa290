"""What the list says of each conversation: its names, how much was said in it, and what was found."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from service.models import Chatbot, ChatbotVersion, Conversation
from service.models.statement import Statement

# In the order of the fields of Line.
COLUMNS = (
    *(Conversation.id, Conversation.title, Conversation.channel, Conversation.updated_at),
    *(Chatbot.title, ChatbotVersion.number),
)
_COUNT = "SELECT conversation_id, count(*) FROM messages WHERE conversation_id {} GROUP BY conversation_id"
_COUNTED = Statement(
    _COUNT.format("IN (SELECT value FROM json_each(:conversations))"),
    postgresql=_COUNT.format("= ANY (:conversations)"),
)


class Line(NamedTuple):
    """A conversation, plain; `version` is the number of the one that it began with."""

    id: int
    title: str
    channel: str
    updated_at: datetime
    chatbot: str
    version: int | None


def read(query: Any) -> list[Line]:
    """What a query of conversations finds that is joined with their chatbots and versions."""
    return [Line._make(row) for row in query.select(*COLUMNS).tuples()]


def messages(lines: list[Line]) -> dict[int, int]:
    """How many each has, if it has any."""
    counted: Any = _COUNTED.rows(conversations=[line.id for line in lines]) if lines else ()
    return dict(counted)
