"""Which chatbots there are, what is live, and one of them with its versions."""

from __future__ import annotations

from typing import Any

import peewee as pw
from flask import Blueprint, g, render_template

from service.admin.records import find_chatbot
from service.chat import access, providers, versions
from service.models import Chatbot, ChatbotVersion, Conversation, User

pages = Blueprint("chatbots", __name__, url_prefix="/chatbots")


@pages.get("/")
def index() -> str:
    chatbots = list(
        access.chatbots(g.user)
        .select_extend(ChatbotVersion)
        .join(ChatbotVersion, pw.JOIN.LEFT_OUTER, on=Chatbot.current_version)
        .order_by(Chatbot.title, Chatbot.id)
    )
    return render_template(
        "chatbots/index.html", chatbots=chatbots, talks=_conversations_per_chatbot(), providers=providers.built_in()
    )


@pages.get("/<int:chatbot_id>")
def show(chatbot_id: int) -> str:
    chatbot = find_chatbot(chatbot_id)
    current = versions.current(chatbot)
    return render_template("chatbots/show.html", chatbot=chatbot, current=current, versions=versions_of(chatbot))


def versions_of(chatbot: Chatbot) -> list[ChatbotVersion]:
    """The newest first, with who made each."""
    return list(
        ChatbotVersion.select(ChatbotVersion, User)
        .join(User, pw.JOIN.LEFT_OUTER, on=ChatbotVersion.created_by)
        .where(ChatbotVersion.chatbot == chatbot)
        .order_by(ChatbotVersion.number.desc())
    )


def _conversations_per_chatbot() -> dict[int, int]:
    query = Conversation.select(Conversation.chatbot, pw.fn.COUNT(Conversation.id)).group_by(Conversation.chatbot)
    counted: Any = query.tuples()
    return dict(counted)
