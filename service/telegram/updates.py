"""What Telegram tells: an update becomes an item of the inbox."""

from __future__ import annotations

from typing import Any

from telegram import Message, Update

from service.chat.receive import receive
from service.database import connection
from service.models import Chatbot
from service.telegram.client import CHANNEL


def served(number: int | None) -> Chatbot | None:
    """The chatbot that answers on Telegram: the one with that number, else the first."""
    with connection():
        wanted = Chatbot.select().order_by(Chatbot.id)
        if number is not None:
            wanted = wanted.where(Chatbot.id == number)
        found: Chatbot | None = wanted.limit(1).get_or_none()
        return found


def store(chatbot: Chatbot, update: Update, bot: str) -> str:
    """Put the update into the inbox of the chatbot, once; returns a few words for the log. `bot` is its number."""
    message = update.message
    if message is None or not message.text:
        return "holds no text; passed over"
    item = receive(
        chatbot,
        channel=CHANNEL,
        external_id=f"{bot}/{update.update_id}",
        thread=_thread(message),
        content=message.text,
        metadata=_metadata(message),
    )
    return f"stored as inbox {item.id}" if item else "was stored before"


def _topic(message: Message) -> int | None:
    """Plain replies in groups carry a thread number too; only a topic is a talk of its own."""
    return message.message_thread_id if message.is_topic_message else None


def _thread(message: Message) -> str:
    topic = _topic(message)
    return f"{message.chat.id}/{topic}" if topic else str(message.chat.id)


def _metadata(message: Message) -> dict[str, Any]:
    given = {
        "chat_id": message.chat.id,
        "chat_type": message.chat.type,
        "message_thread_id": _topic(message),
        "message_id": message.message_id,
        "sender": message.from_user.full_name if message.from_user else None,
    }
    return {key: value for key, value in given.items() if value is not None}
