"""The place where a talk goes on may get another name."""

from __future__ import annotations

from service.database import connection, writing
from service.models import QUEUED, Conversation, InboxItem


def rename(channel: str, old: str, new: str) -> int:
    """Move the talks of a thread, and the messages that wait there, to its new name; returns how many talks moved. A
    chatbot that has begun a talk under the new name already keeps both."""
    with connection() as database, writing(database):
        taken = Conversation.select(Conversation.chatbot).where(
            Conversation.channel == channel, Conversation.thread == new
        )
        moved = Conversation.update(thread=new).where(
            Conversation.channel == channel, Conversation.thread == old, Conversation.chatbot.not_in(taken)
        )
        waiting = InboxItem.update(thread=new).where(
            InboxItem.channel == channel, InboxItem.thread == old, InboxItem.state == QUEUED
        )
        waiting.execute()
        return int(moved.execute())
