"""What is being asked and answered: the list of conversations, and the transcript of one."""

from __future__ import annotations

from typing import Any

import peewee as pw
from flask import Blueprint, g, render_template, request

from service.admin import paging
from service.admin.records import find_chatbot, find_conversation
from service.chat import access
from service.models import ChatbotVersion, Conversation, Message, Persona, ToolLog, User

pages = Blueprint("conversations", __name__, url_prefix="/conversations")

PAGE_SIZE = 25
MESSAGES_SHOWN = 100


@pages.get("/")
def index() -> str:
    chatbot = find_chatbot(request.args.get("chatbot", 0, int)) if request.args.get("chatbot") else None
    query = _listed().limit(PAGE_SIZE + 1)
    if chatbot:
        query = query.where(Conversation.chatbot == chatbot)
    place = paging.read_cursor(request.args.get("before", ""))
    if place:
        query = query.where(pw.Tuple(Conversation.updated_at, Conversation.id) < pw.Tuple(*place))
    page = paging.take(list(query), PAGE_SIZE)
    last = page.rows[-1] if page.has_more else None
    return render_template(
        "conversations/index.html",
        conversations=page.rows,
        messages=_messages_per_conversation(page.rows),
        chatbot=chatbot,
        is_first=place is None,
        older=paging.cursor(last.updated_at, last.id) if last else None,
    )


@pages.get("/<int:conversation_id>")
def show(conversation_id: int) -> str:
    conversation = find_conversation(conversation_id)
    before = request.args.get("before", None, int)
    page = paging.take(list(said(conversation, before).limit(MESSAGES_SHOWN + 1)), MESSAGES_SHOWN)
    messages = page.rows[::-1]
    return render_template(
        "conversations/show.html",
        conversation=conversation,
        messages=messages,
        tools=_tools(messages),
        older=messages[0].id if page.has_more else None,
        is_mine=is_thread_of(g.user, conversation.thread),
    )


def said(conversation: Conversation, before: int | None = None) -> Any:
    """The messages, newest first, with who spoke and as which persona."""
    query = (
        Message.select(Message, Persona, User)
        .join(Persona, pw.JOIN.LEFT_OUTER)
        .switch(Message)
        .join(User, pw.JOIN.LEFT_OUTER)
        .where(Message.conversation == conversation)
        .order_by(Message.id.desc())
    )
    return query.where(Message.id < before) if before and 0 < before < 2**63 else query


def is_thread_of(user: User, thread: str | None) -> bool:
    """A thread of the panel carries the number of the user who began it."""
    return (thread or "").startswith(f"user-{user.id}-")


def _listed() -> Any:
    return (
        access.conversations(g.user)
        .select_extend(ChatbotVersion)
        .switch(Conversation)
        .join(ChatbotVersion, pw.JOIN.LEFT_OUTER, on=Conversation.chatbot_version)
        .order_by(Conversation.updated_at.desc(), Conversation.id.desc())
    )


def _messages_per_conversation(conversations: list[Conversation]) -> dict[int, int]:
    query = (
        Message.select(Message.conversation, pw.fn.COUNT(Message.id))
        .where(Message.conversation.in_([conversation.id for conversation in conversations]))
        .group_by(Message.conversation)
    )
    counted: Any = query.tuples()
    return dict(counted)


def _tools(messages: list[Message]) -> dict[int, list[ToolLog]]:
    """The tool calls behind each message."""
    calls: dict[int, list[ToolLog]] = {message.id: [] for message in messages}
    for call in ToolLog.select().where(ToolLog.message.in_(list(calls))).order_by(ToolLog.id):
        calls[call.__data__["message"]].append(call)
    return calls
