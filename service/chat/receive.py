"""A message arrives: it is stored before anybody is told that it was received."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import peewee as pw

from service.chat.text import storable, storable_metadata
from service.chat.wake import INBOX, wake
from service.database import connection, is_sqlite, writing
from service.models import QUEUED, Chatbot, InboxItem
from service.models.base import shared_now


def receive(
    chatbot: Chatbot, *, channel: str, external_id: str, thread: str, content: str, metadata: Mapping[str, Any]
) -> InboxItem | None:
    """Store the message in the inbox and wake a worker; None when (channel, external_id) is already there."""
    item = InboxItem(
        chatbot=chatbot,
        channel=channel,
        external_id=external_id,
        thread=thread,
        content=storable(content),
        metadata=storable_metadata(metadata),
    )
    with connection() as database, writing(database):
        _queue_up(database, item)
        if not _insert(item):
            return None
        wake(database, INBOX)
    return item


def amend(
    chatbot: Chatbot, *, channel: str, thread: str, message_id: int, content: str, metadata: Mapping[str, Any]
) -> bool:
    """Replace what waits in the inbox for the message with that number in its metadata; False when it is being
    answered, or was, or never came."""
    with connection() as database, writing(database):
        rows = (
            InboxItem.update(content=storable(content), metadata=storable_metadata(metadata))
            .where(
                InboxItem.chatbot == chatbot,
                InboxItem.channel == channel,
                InboxItem.thread == thread,
                InboxItem.state == QUEUED,
                InboxItem.metadata["message_id"] == message_id,
            )
            .execute()
        )
    return bool(rows)


def _queue_up(database: pw.Database, item: InboxItem) -> None:
    """Ids of one thread must follow its commits, or a worker could answer number 8 before it can see number 7.
    SQLite has a single writer; on PostgreSQL the writers of one thread take turns."""
    if not is_sqlite(database):
        lane = f"{item.chatbot_id}/{item.channel}/{item.thread}"
        number = pw.fn.hashtextextended(lane, 0)
        pw.Select(columns=[pw.fn.pg_advisory_xact_lock(number)]).execute(database)


def _insert(item: InboxItem) -> bool:
    known = (InboxItem.channel == item.channel) & (InboxItem.external_id == item.external_id)
    if InboxItem.select().where(known).exists():
        return False
    # The look above spares an id in the common case; the unique index decides when two arrive at once.
    rows = (
        InboxItem.insert({**item.__data__, "available_at": shared_now()}).on_conflict_ignore().as_rowcount().execute()
    )
    if rows:
        item.id = InboxItem.get(known).id
    return bool(rows)
