"""Who looks on while an answer is written, and what there is of it so far.

Who follows a thread says so, again and again. A worker that takes a message of such a thread is told with the message,
so that an answer that nobody follows costs nothing more, and leaves here now and then what it has written. None of it
is needed: it may be lost at any time, and what is stored in the end is the truth."""

from __future__ import annotations

from typing import Any

import peewee as pw

from service.database import connection
from service.models import LEASED, FollowedThread, InboxItem
from service.models.base import shared_now
from service.models.statement import Statement

# Seconds for which a thread counts as followed after somebody has said so.
LASTS = 30.0

_IS_HELD = Statement("""
    SELECT 1 FROM followed_threads
    WHERE chatbot_id = :chatbot AND channel = :channel AND thread = :thread AND until > :later""")
# For the statement by which a worker takes an item.
IS_FOLLOWED = """EXISTS (SELECT 1 FROM followed_threads f WHERE f.chatbot_id = inbox.chatbot_id
    AND f.channel = inbox.channel AND f.thread = inbox.thread AND f.until > :now) AS is_followed"""


def follow(chatbot_id: int, channel: str, thread: str) -> None:
    """Say that somebody looks at the thread. Writes seldom, however often it is called."""
    named = {"chatbot": chatbot_id, "channel": channel, "thread": thread}
    key = [getattr(FollowedThread, name) for name in named]
    with connection():
        if _IS_HELD.row(**named, seconds=LASTS / 2):
            return
        until = {"until": shared_now(LASTS)}
        FollowedThread.insert({**named, **until}).on_conflict(conflict_target=key, update=until).execute()


def written(item_id: int) -> str:
    """What there is of the answer to the item; empty where nobody has left anything."""
    with connection():
        return FollowedThread.select(FollowedThread.text).where(FollowedThread.item == item_id).scalar() or ""


def write(item: InboxItem, text: str) -> bool:
    """Leave there what is written of the answer; False when nobody follows any more, or the item, as it was taken, is
    in other hands by now."""
    mine = InboxItem.select().where(InboxItem.id == item.id, InboxItem.state == LEASED, _as_taken(item))
    with connection():
        left = FollowedThread.update(item=item, text=text)
        rows = left.where(_thread_of(item), FollowedThread.until > shared_now(), pw.fn.EXISTS(mine)).execute()
    return bool(rows)


def forget(item: InboxItem) -> None:
    """Take away what this attempt, or one before it, has left; not what comes from other hands by now."""
    others = InboxItem.select().where(InboxItem.id == item.id, InboxItem.state == LEASED, ~_as_taken(item))
    with connection():
        left = FollowedThread.update(item=None, text="")
        left.where(FollowedThread.item == item, ~pw.fn.EXISTS(others)).execute()


def tidy(limit: int) -> int:
    """Remove that many threads that nobody follows any more, with what a worker that was killed may have left there."""
    over = FollowedThread.select(FollowedThread.id).where(FollowedThread.until < shared_now()).limit(limit)
    with connection():
        return int(FollowedThread.delete().where(FollowedThread.id.in_(over)).execute())


def _thread_of(item: InboxItem) -> Any:
    return (
        (FollowedThread.chatbot == item.chatbot_id)
        & (FollowedThread.channel == item.channel)
        & (FollowedThread.thread == item.thread)
    )


def _as_taken(item: InboxItem) -> Any:
    return (InboxItem.leased_by == item.leased_by) & (InboxItem.attempts == item.attempts)
