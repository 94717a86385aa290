"""Deletes what was said in conversations that nobody has touched for RETENTION_DAYS, and what is left beside them.

A conversation goes as a whole, one in a transaction, and never while something of it waits to be answered or
delivered. Dead letters are no exception: they hold what people wrote."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from service.bot.jobs.schedule import GoOn
from service.chat import deletion
from service.chat.deletion import Contents
from service.database import connection, is_sqlite, writing
from service.models import DEAD, DONE, Conversation, InboxItem, Message, ToolLog
from service.models.base import utc_now

BATCH = 100


def run(days: int, _done_at: datetime | None, go_on: GoOn) -> str:
    before = utc_now() - timedelta(days=days)
    conversations, messages = _conversations(before, go_on)
    loose = _loose(before, go_on)
    if not conversations + loose:
        return ""
    return f"deleted {conversations} conversations with {messages} messages, and {loose} rows beside them"


def _conversations(before: datetime, go_on: GoOn) -> tuple[int, int]:
    conversations = messages = 0
    at_work: set[int] = set()
    while go_on() and (batch := _untouched(before, at_work)):
        for conversation in batch:
            try:
                gone = _delete(conversation, before)
            except deletion.StillAtWork:
                at_work.add(conversation.id)
                continue
            conversations += gone is not None
            messages += gone.messages if gone else 0
            if not go_on():
                break
    return conversations, messages


def _untouched(before: datetime, at_work: set[int]) -> list[Conversation]:
    query = Conversation.select().where(Conversation.updated_at < before, Conversation.id.not_in(list(at_work)))
    with connection():
        return list(query.order_by(Conversation.updated_at).limit(BATCH))


def _delete(conversation: Conversation, before: datetime) -> Contents | None:
    """None when it is gone, or somebody has written to it since it was looked for."""
    query = Conversation.select().where(Conversation.id == conversation.id, Conversation.updated_at < before)
    with connection() as database, writing(database):
        held = (query if is_sqlite(database) else query.for_update()).get_or_none()
        return deletion.delete(held) if held else None


def _loose(before: datetime, go_on: GoOn) -> int:
    """What belongs to no conversation, or is not needed for one any more."""
    kinds: tuple[tuple[Any, Any], ...] = (
        (Message, Message.conversation.is_null() & (Message.created_at < before)),
        (ToolLog, ToolLog.session.is_null() & (ToolLog.created_at < before)),
        (InboxItem, InboxItem.state.in_([DONE, DEAD]) & (InboxItem.finished_at < before)),
    )
    total = 0
    for model, condition in kinds:
        old = model.select(model.id).where(condition).limit(BATCH)
        while go_on():
            with connection():
                removed = int(model.delete().where(model.id.in_(old)).execute())
            total += removed
            if not removed:
                break
    return total
