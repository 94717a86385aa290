"""What is new in a thread since somebody looked: messages, tool calls, and what still waits for its answer."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, NamedTuple

from service.admin.conversations import transcript
from service.admin.conversations.transcript import MESSAGES_SHOWN, Said, Transcript
from service.admin.parts.paging import read_id
from service.chat import following
from service.models import DEAD, LEASED, Conversation, InboxItem, Message
from service.models.base import utc_now
from service.models.statement import Statement, loaded, moment

# After this the person should learn that perhaps nobody is there to answer.
PATIENCE = timedelta(seconds=20)

_OF_THREAD = "chatbot_id = :chatbot AND channel = :channel AND thread = :thread"
# In the order of the fields of Asked; each part has an index that holds nothing else, however much was answered before.
# In one statement, so that an item that is still open has not lost its text to the answer that was stored.
_OPEN = Statement(f"""
    SELECT i.id, i.state, i.content, i.error, coalesce(f.text, ''), i.metadata, i.created_at
    FROM (
        SELECT * FROM inbox WHERE state IN ('queued', 'leased') AND {_OF_THREAD}
        UNION ALL SELECT * FROM inbox WHERE state = 'dead' AND {_OF_THREAD}
    ) i LEFT JOIN followed_threads f ON f.item_id = i.id ORDER BY i.id""")
_CONVERSATION = Statement(f"SELECT * FROM conversations WHERE {_OF_THREAD}")
_METADATA: Any = InboxItem.metadata
# What the end of a transcript depends on, besides the messages.
Tail = tuple[object, ...]


class Thread(NamedTuple):
    """Where a talk takes place. There may be no conversation yet, since the answer to the first message makes it; one
    that is known is meant whatever its thread is called."""

    chatbot_id: int
    channel: str
    name: str | None
    conversation: Conversation | None = None


class Place(NamedTuple):
    """How far somebody has read: the newest message, and the newest tool call."""

    message: int = 0
    call: int = 0

    def __str__(self) -> str:
        return f"{self.message}.{self.call}"


class Asked(NamedTuple):
    """An item of the inbox that is not answered; `written` is what there is of the answer."""

    id: int
    state: str
    content: str
    error: str | None
    written: str
    metadata: dict[str, Any]
    created_at: datetime


class Writing(NamedTuple):
    """An answer that is being written: to which item, and what there is of it."""

    item_id: int
    text: str


class News(NamedTuple):
    """`transcript` holds the messages that are new, or have a new tool call; `unanswered` is what stands below them."""

    conversation: Conversation | None
    transcript: Transcript
    unanswered: list[Asked]
    is_waiting: bool
    is_late: bool
    place: Place
    writing: Writing | None = None

    @property
    def tail(self) -> Tail:
        answered = self.writing.item_id if self.writing else None
        return (*((item.id, item.state) for item in self.unanswered), self.is_waiting, self.is_late, answered)

    @property
    def text(self) -> str:
        """What there is of the answer, which grows while the tail stays as it is."""
        return self.writing.text if self.writing else ""


def read_place(text: str) -> Place:
    """The beginning, for what is no place."""
    message, _, call = text.partition(".")
    return Place(read_id(message) or 0, read_id(call) or 0)


def since(thread: Thread, place: Place | None = None) -> News:
    """What came after the place; without one, the end of the transcript.

    The inbox is read first: read last, an answer that comes in between would be in neither, and the page would stop
    waiting for it."""
    items = _open_items(thread)
    conversation = _conversation(thread)
    shown = _transcript(conversation, place)
    waiting, writing = [item for item in items if item.state != DEAD], _writing(items)
    return News(
        conversation=conversation,
        transcript=shown,
        unanswered=_unsaid(conversation, shown.messages, items),
        is_waiting=bool(waiting),
        is_late=bool(waiting) and not writing and utc_now() - waiting[0].created_at > PATIENCE,
        place=_reached(shown, place or Place()),
        writing=writing,
    )


def follow(thread: Thread) -> None:
    """Somebody goes on looking: from now on they see each answer grow."""
    if thread.name is not None:
        following.follow(thread.chatbot_id, thread.channel, thread.name)


def followed(thread: Thread, place: Place) -> News:
    """What came after the place, for somebody who goes on looking."""
    follow(thread)
    return since(thread, place)


def _open_items(thread: Thread) -> list[Asked]:
    rows = _OPEN.rows(chatbot=thread.chatbot_id, channel=thread.channel, thread=thread.name)
    return [
        Asked._make([*asked, _METADATA.python_value(metadata), moment(created_at)])
        for *asked, metadata, created_at in rows
    ]


def _writing(items: list[Asked]) -> Writing | None:
    """Conversations have one item in hand at a time."""
    return next((Writing(item.id, item.written) for item in items if item.state == LEASED and item.written), None)


def _conversation(thread: Thread) -> Conversation | None:
    if thread.conversation:
        return thread.conversation
    row = _CONVERSATION.named(chatbot=thread.chatbot_id, channel=thread.channel, thread=thread.name)
    return loaded(Conversation, row) if row else None


def _transcript(conversation: Conversation | None, place: Place | None) -> Transcript:
    if conversation is None:
        return transcript.NOTHING
    if place is None:
        return transcript.latest(conversation)
    return transcript.since(conversation, place.message, place.call)


def _unsaid(conversation: Conversation | None, messages: list[Said], items: list[Asked]) -> list[Asked]:
    """Without those that the transcript holds already: what was given up with an apology, and what is tried again."""
    if conversation is None or not items:
        return items
    asked = Message.select(Message.metadata).where(Message.conversation == conversation, Message.role == "user")
    newest = asked.order_by(Message.id.desc()).limit(MESSAGES_SHOWN)
    said = {message.metadata.get("inbox", 0) for message in (*newest, *messages)}
    return [item for item in items if item.id not in said and item.id > min(said, default=0)]


def _reached(shown: Transcript, place: Place) -> Place:
    calls = [call.id for calls in shown.tools.values() for call in calls]
    messages = [message.id for message in shown.messages]
    return Place(max([place.message, *messages]), max([place.call, *calls]))
