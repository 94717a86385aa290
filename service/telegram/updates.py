"""What has been read of an update becomes an item of the inbox, once."""

from __future__ import annotations

from service.chat import threads
from service.chat.receive import amend, receive
from service.database import connection
from service.models import Chatbot
from service.telegram.client import CHANNEL
from service.telegram.reading import Incoming, Moved, Passed, Reading


def served(number: int | None) -> Chatbot | None:
    """The chatbot that answers on Telegram: the one with that number, else the first."""
    with connection():
        wanted = Chatbot.select().order_by(Chatbot.id)
        if number is not None:
            wanted = wanted.where(Chatbot.id == number)
        found: Chatbot | None = wanted.limit(1).get_or_none()
        return found


def store(chatbot: Chatbot, reading: Reading) -> str:
    """Do what the update asks for, committed on return; returns a few words for the log."""
    match reading:
        case Passed(reason):
            return f"{reason}; passed over"
        case Moved(old, new):
            return moved(old, new)
        case Incoming(is_edited=True) as incoming:
            return _amended(chatbot, incoming)
        case incoming:
            return _received(chatbot, incoming)


def moved(old: int, new: int) -> str:
    """A group has another number now, under which its talk goes on."""
    talks = threads.rename(CHANNEL, str(old), str(new))
    return f"moved {talks} conversations of a group to its new number"


def _received(chatbot: Chatbot, incoming: Incoming) -> str:
    item = receive(
        chatbot,
        channel=CHANNEL,
        external_id=incoming.external_id,
        thread=incoming.thread,
        content=incoming.content,
        metadata=incoming.metadata,
    )
    return f"stored as inbox {item.id}" if item else "was stored before"


def _amended(chatbot: Chatbot, incoming: Incoming) -> str:
    is_in_time = amend(
        chatbot,
        channel=CHANNEL,
        thread=incoming.thread,
        message_id=incoming.metadata["message_id"],
        content=incoming.content,
        metadata=incoming.metadata,
    )
    return "replaced a text that waits" if is_in_time else "edits what is answered already; passed over"
