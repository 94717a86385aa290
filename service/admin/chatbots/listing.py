"""Which chatbots there are, what is live, and one of them with its versions."""

from __future__ import annotations

from typing import Any

import peewee as pw
from flask import Blueprint, g, render_template, request

from service.admin.parts import paging
from service.admin.parts.forms import is_storable
from service.admin.parts.records import LARGEST_ID, find_chatbot
from service.chat import access, providers, versions
from service.models import Chatbot, ChatbotVersion, Conversation, User

pages = Blueprint("chatbots", __name__, url_prefix="/chatbots")


PAGE_SIZE = 24


@pages.get("/")
def index() -> str:
    wanted, after = request.args.get("q", "").strip()[:120], request.args.get("after", 0, int)
    page = paging.take(list(_listed(wanted, after).limit(PAGE_SIZE + 1)), PAGE_SIZE)
    return render_template(
        "chatbots/index.html",
        chatbots=page.rows,
        talks=_conversations_per_chatbot(page.rows),
        providers=providers.built_in(),
        wanted=wanted,
        is_first=not after,
        next=page.rows[-1].id if page.has_more else None,
    )


def _listed(wanted: str, after: int) -> Any:
    """By title; those whose title holds the wanted text, from behind the chatbot of that number on."""
    query = access.chatbots(g.user).select_extend(ChatbotVersion)
    query = query.join(ChatbotVersion, pw.JOIN.LEFT_OUTER, on=Chatbot.current_version)
    if wanted and is_storable(wanted):
        query = query.where(Chatbot.title.contains(wanted))
    last = Chatbot.get_or_none(Chatbot.id == after) if 0 < after <= LARGEST_ID else None
    if last:
        query = query.where(pw.Tuple(Chatbot.title, Chatbot.id) > pw.Tuple(last.title, last.id))
    return query.order_by(Chatbot.title, Chatbot.id)


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


def has_namesake(title: str, team: int) -> bool:
    """Two of one title in a team could not be told apart where one is chosen."""
    return bool(Chatbot.select().where(Chatbot.creator == team, Chatbot.title == title).exists())


def _conversations_per_chatbot(chatbots: list[Chatbot]) -> dict[int, int]:
    query = Conversation.select(Conversation.chatbot, pw.fn.COUNT(Conversation.id)).group_by(Conversation.chatbot)
    query = query.where(Conversation.chatbot.in_([chatbot.id for chatbot in chatbots]))
    counted: Any = query.tuples()
    return dict(counted)
