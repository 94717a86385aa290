"""Chatbots, messages to them, and what became of those."""

from __future__ import annotations

import itertools
from datetime import timedelta
from typing import Any

from service.chat import search, versions
from service.chat.receive import receive
from service.models import Chatbot, Conversation, Creator, CreatorUser, InboxItem, Message, User
from service.models.base import utc_now

_numbers = itertools.count(1)


def make_user(name: str = "Ada") -> User:
    return User.create(email=f"{name}{next(_numbers)}@example.org", name=name, password_hash="-")


def make_chatbot(*, user: User | None = None, **settings: Any) -> Chatbot:
    creator = Creator.create(name="Ada's team")
    if user:
        CreatorUser.create(creator=creator, user=user)
    return Chatbot.create(creator=creator, **{"title": "Helper", "system_prompt": "Be brief."} | settings)


def send(chatbot: Chatbot, content: str, *, thread: str = "one", channel: str = "panel", **metadata: Any) -> InboxItem:
    number = f"test-{next(_numbers)}"
    item = receive(chatbot, channel=channel, external_id=number, thread=thread, content=content, metadata=metadata)
    assert item is not None
    return item


def reloaded(item: InboxItem) -> InboxItem:
    return InboxItem.get_by_id(item.id)


def lease_left(item: InboxItem) -> timedelta:
    until = reloaded(item).leased_until
    assert until is not None
    return until - utc_now()


def transcript(thread: str = "one") -> list[tuple[str, str]]:
    """What was said in the thread: (role, content), in the order of the rows."""
    spoken = Message.select().join(Conversation, on=Message.conversation == Conversation.id)
    return [
        (message.role, message.content) for message in spoken.where(Conversation.thread == thread).order_by(Message.id)
    ]


def asked(thread: str = "one") -> list[str]:
    return [content for role, content in transcript(thread) if role == "user"]


def begin(chatbot: Chatbot, title: str, **fields: Any) -> Conversation:
    values = {"channel": "telegram", "thread": title, "chatbot_version": versions.current(chatbot)} | fields
    return Conversation.create(chatbot=chatbot, title=title, **values)


def say(conversation: Conversation, role: str, content: str, **fields: Any) -> Message:
    message = Message.create(
        chatbot=conversation.chatbot, conversation=conversation, role=role, content=content, **fields
    )
    search.index(message)
    return message
