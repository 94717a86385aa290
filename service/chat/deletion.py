"""A conversation is deleted, with everything that was said in it."""

from __future__ import annotations

from typing import Any, NamedTuple

from service.database import connection, is_sqlite, writing
from service.models import (
    DEAD,
    DONE,
    LEASED,
    QUEUED,
    Conversation,
    FollowedThread,
    InboxItem,
    Message,
    OutboxItem,
    ToolLog,
)

_WAITING = [QUEUED, LEASED]
_AT_ONCE = 500


class StillAtWork(Exception):
    """A message of the conversation waits for its answer, or an answer for its delivery."""

    def __init__(self) -> None:
        super().__init__("A message of this conversation is being answered or delivered; try again in a moment.")


class Contents(NamedTuple):
    """What goes with a conversation."""

    messages: int
    tool_calls: int


def contents(conversation: Conversation) -> Contents:
    return Contents(
        messages=Message.select().where(Message.conversation == conversation).count(),
        tool_calls=ToolLog.select().where(ToolLog.session == conversation).count(),
    )


def delete(conversation: Conversation) -> Contents | None:
    """Delete the conversation with its messages, tool calls and deliveries; returns how much that was, None if it was
    gone already. Raises StillAtWork. The audit record is the caller's, in the same transaction."""
    with connection() as database, writing(database):
        query = Conversation.select().where(Conversation.id == conversation.id)
        # Held, so that no answer is written to it between the look and the deletion.
        stored: Conversation | None = (query if is_sqlite(database) else query.for_update()).get_or_none()
        if stored is None:
            return None
        if is_at_work(stored):
            raise StillAtWork
        gone = contents(stored)
        _empty_inbox(stored)
        # What a worker that was killed may have left there of an answer.
        FollowedThread.delete().where(_lane(FollowedThread, stored)).execute()
        Conversation.delete().where(Conversation.id == stored.id).execute()
    return gone


def is_at_work(conversation: Conversation) -> bool:
    waiting_in = InboxItem.select().where(_lane(InboxItem, conversation), InboxItem.state.in_(_WAITING))
    waiting_out = OutboxItem.select().where(OutboxItem.conversation == conversation, OutboxItem.state.in_(_WAITING))
    return bool(waiting_in.exists() or waiting_out.exists())


def _empty_inbox(conversation: Conversation) -> None:
    """The inbox keeps what the person wrote, too. The rows stay, so that none of it is taken for new when it is sent
    again; what was given up is not to be retried any more."""
    empty: dict[str, Any] = {"content": "", "metadata": {}, "error": None, "state": DONE}
    is_over = InboxItem.state.in_([DONE, DEAD])
    InboxItem.update(empty).where(_lane(InboxItem, conversation), is_over).execute()
    asked = Message.select(Message.metadata).where(Message.conversation == conversation, Message.role == "user")
    # A conversation that was put aside has another thread by now than the items that it came from.
    items = [message.metadata["inbox"] for message in asked if "inbox" in message.metadata]
    for place in range(0, len(items), _AT_ONCE):
        InboxItem.update(empty).where(InboxItem.id.in_(items[place : place + _AT_ONCE]), is_over).execute()


def _lane(model: type[InboxItem] | type[FollowedThread], conversation: Conversation) -> Any:
    return (
        (model.chatbot == conversation.chatbot)
        & (model.channel == conversation.channel)
        & (model.thread == conversation.thread)
    )
