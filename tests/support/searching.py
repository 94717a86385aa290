"""Messages to be searched, and what was found."""

from __future__ import annotations

from service.chat.search import index, matching
from service.database import proxy, writing
from service.models import Chatbot, Message


def write(texts: tuple[str, ...] | list[str]) -> None:
    """Exactly these messages, numbered from 1."""
    chatbot = Chatbot.get()
    with writing(proxy.obj):
        Message.delete().execute()
        for number, text in enumerate(texts, 1):
            index(Message.create(id=number, chatbot=chatbot, role="user", content=text))


def ids(question: str) -> list[int]:
    found = Message.select(Message.id).where(matching(question)).order_by(Message.id.desc())
    return [message.id for message in found]
