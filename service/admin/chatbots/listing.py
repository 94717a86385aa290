"""Which chatbots there are, what is live, and one of them with its versions."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

import peewee as pw
from flask import Blueprint, g, render_template, request

from service.admin.parts import paging
from service.admin.parts.forms import is_storable
from service.admin.parts.records import LARGEST_ID, find_chatbot
from service.chat import access, providers, versions
from service.models import Chatbot, ChatbotVersion, User
from service.models.base import caseless
from service.models.statement import Statement

pages = Blueprint("chatbots", __name__, url_prefix="/chatbots")


PAGE_SIZE = 24
# Of a prompt, a card shows two lines; prompts are long.
PROMPT_SHOWN = 400
# In the order of the fields of Card.
COLUMNS = (
    *(Chatbot.id, Chatbot.title, pw.fn.SUBSTR(Chatbot.system_prompt, 1, PROMPT_SHOWN + 1)),
    *(Chatbot.model_provider, Chatbot.model_name, ChatbotVersion.number, ChatbotVersion.created_at),
)
_COUNT = "SELECT chatbot_id, count(*) FROM conversations WHERE chatbot_id {} GROUP BY chatbot_id"
_COUNTED = Statement(
    _COUNT.format("IN (SELECT value FROM json_each(:chatbots))"),
    postgresql=_COUNT.format("= ANY (:chatbots)"),
)


class Card(NamedTuple):
    """A chatbot in the list; `version` is the number of the current one, and `changed_at` when it was made."""

    id: int
    title: str
    prompt: str
    model_provider: str
    model_name: str
    version: int | None
    changed_at: datetime | None


@pages.get("/")
def index() -> str:
    wanted, after = request.args.get("q", "").strip()[:120], request.args.get("after", 0, int)
    found = _listed(wanted, after).limit(PAGE_SIZE + 1).tuples()
    page = paging.take([Card._make(row) for row in found], PAGE_SIZE)
    return render_template(
        "chatbots/index.html",
        chatbots=page.rows,
        prompt_shown=PROMPT_SHOWN,
        talks=_conversations_per_chatbot(page.rows),
        providers=providers.built_in(),
        wanted=wanted,
        is_first=not after,
        next=page.rows[-1].id if page.has_more else None,
    )


def _listed(wanted: str, after: int) -> Any:
    """By title; those whose title holds the wanted text, from behind the chatbot of that number on."""
    query = access.chatbots(g.user).select(*COLUMNS)
    query = query.join(ChatbotVersion, pw.JOIN.LEFT_OUTER, on=Chatbot.current_version)
    if wanted and is_storable(wanted):
        query = query.where(Chatbot.title.contains(wanted))
    last = Chatbot.get_or_none(Chatbot.id == after) if 0 < after <= LARGEST_ID else None
    if last:
        place = pw.Tuple(caseless(Chatbot.title), Chatbot.id)
        query = query.where(place > pw.Tuple(caseless(last.title), last.id))
    return query.order_by(caseless(Chatbot.title), Chatbot.id)


@pages.get("/<int:chatbot_id>")
def show(chatbot_id: int) -> str:
    chatbot = find_chatbot(chatbot_id)
    current = versions.current(chatbot)
    return render_template("chatbots/show.html", chatbot=chatbot, current=current, versions=versions_of(chatbot))


def versions_of(chatbot: Chatbot) -> list[ChatbotVersion]:
    """The newest first, with who made each. Without their settings: of prompts as long as a book, there may be many."""
    said = (ChatbotVersion.id, ChatbotVersion.number, ChatbotVersion.notes, ChatbotVersion.created_at)
    return list(
        ChatbotVersion.select(*said, User.id, User.name)
        .join(User, pw.JOIN.LEFT_OUTER, on=ChatbotVersion.created_by)
        .where(ChatbotVersion.chatbot == chatbot)
        .order_by(ChatbotVersion.number.desc())
    )


def has_namesake(title: str, team: int) -> bool:
    """Two of one title in a team could not be told apart where one is chosen."""
    return bool(Chatbot.select().where(Chatbot.creator == team, Chatbot.title == title).exists())


def _conversations_per_chatbot(cards: list[Card]) -> dict[int, int]:
    counted: Any = _COUNTED.rows(chatbots=[card.id for card in cards]) if cards else ()
    return dict(counted)
