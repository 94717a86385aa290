"""Talking to a chatbot: a message goes into the inbox, and the page waits for what the worker makes of it."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import TypeVar

from flask import Blueprint, abort, g, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from service.admin.access.permissions import needs
from service.admin.conversations import live, news
from service.admin.conversations.listing import is_thread_of
from service.admin.conversations.news import News, Place, Thread
from service.admin.parts import choices
from service.admin.parts.forms import FirstMessageForm, MessageForm, is_storable
from service.admin.parts.kept import shown_again
from service.admin.parts.records import find_chatbot
from service.chat import access
from service.chat.receive import receive
from service.models import EDITOR, Chatbot, Conversation, Persona
from service.models.base import caseless

pages = Blueprint("talk", __name__, url_prefix="/talk")

SomeForm = TypeVar("SomeForm", bound=MessageForm)

CHANNEL = "panel"
RECENT = 8


@pages.get("/")
@needs(EDITOR)
def index() -> str:
    wanted = {"chatbot": request.args.get("chatbot", None, int), "persona": request.args.get("persona", "")}
    return _first_page(_offering(FirstMessageForm(data=wanted)))


@pages.post("/")
@shown_again(FirstMessageForm)
def start() -> AnyResponse | tuple[str, int]:
    form = _offering(FirstMessageForm(request.form))
    if not form.validate():
        return _first_page(form), 400
    # From the form's key, so that a message sent twice begins one conversation.
    thread = f"user-{g.user.id}-{(form.key.data or '')[:12]}"
    return _send(find_chatbot(form.chatbot.data), thread, form, _choice(form))


@pages.get("/<int:chatbot_id>/<thread>")
def show(chatbot_id: int, thread: str) -> str:
    return _page(_partner(chatbot_id, thread), thread, MessageForm())


@pages.get("/<int:chatbot_id>/<thread>/messages")
def messages(chatbot_id: int, thread: str) -> str:
    """The transcript alone, or what is new in it, for the script of the page."""
    chatbot = _partner(chatbot_id, thread)
    if "after" not in request.args:
        return _fragment(_news(chatbot, thread))
    news.follow(Thread(chatbot.id, CHANNEL, thread))
    return _fragment(_news(chatbot, thread, live.place()))


@pages.get("/<int:chatbot_id>/<thread>/live")
def follow(chatbot_id: int, thread: str) -> AnyResponse:
    _news(_partner(chatbot_id, thread), thread)

    def look(place: Place) -> News | None:
        is_theirs = access.chatbots(g.user).where(Chatbot.id == chatbot_id).exists()
        return news.followed(Thread(chatbot_id, CHANNEL, thread), place) if is_theirs else None

    return live.stream(look, _fragment)


@pages.post("/<int:chatbot_id>/<thread>")
@shown_again(MessageForm)
def send(chatbot_id: int, thread: str) -> AnyResponse | tuple[str, int]:
    """Or, for a browser without the script, `look` for the answer: what is being typed comes back with the page."""
    chatbot = _partner(chatbot_id, thread)
    _news(chatbot, thread)
    form = MessageForm(request.form)
    if "look" in request.form:
        return _page(chatbot, thread, form), 200
    if not form.validate():
        return _page(chatbot, thread, form), 400
    return _send(chatbot, thread, form)


def _choice(form: FirstMessageForm) -> dict[str, int]:
    """The persona goes along with the first message, and from there on belongs to the conversation."""
    return {"persona_id": int(form.persona.data)} if form.persona.data else {}


def _send(chatbot: Chatbot, thread: str, form: MessageForm, choice: Mapping[str, int] | None = None) -> AnyResponse:
    # Already now: the worker may take the message before the page is there to say so.
    news.follow(Thread(chatbot.id, CHANNEL, thread))
    receive(
        chatbot,
        channel=CHANNEL,
        external_id=f"{g.user.id}-{form.key.data}",
        thread=thread,
        content=form.content.data or "",
        metadata={"user_id": g.user.id, **(choice or {})},
    )
    return redirect(url_for("talk.show", chatbot_id=chatbot.id, thread=thread), 303)


def _partner(chatbot_id: int, thread: str) -> Chatbot:
    """The chatbot; a thread of somebody else is as good as none."""
    if not (is_thread_of(g.user, thread) and is_storable(thread)):
        abort(404)
    return find_chatbot(chatbot_id)


def _news(chatbot: Chatbot, thread: str, place: Place | None = None) -> News:
    found = news.since(Thread(chatbot.id, CHANNEL, thread), place)
    if found.conversation is None and not found.unanswered:
        abort(404)
    return found


def _page(chatbot: Chatbot, thread: str, form: MessageForm) -> str:
    found = _news(chatbot, thread)
    return render_template("talk/show.html", form=_keyed(form), chatbot=chatbot, thread=thread, news=found)


def _fragment(found: News) -> str:
    return render_template("conversations/_live.html", news=found, has_details=False, words="")


def _keyed(form: SomeForm) -> SomeForm:
    """With a key of its own, so that it can be sent; a key that was refused must not be offered again."""
    if not form.key.data or form.key.errors:
        form.key.data = secrets.token_hex(16)
    return form


def _offering(form: FirstMessageForm) -> FirstMessageForm:
    form.chatbot.choices = choices.chatbots(g.user, form.chatbot.data)
    personas = (
        Persona.select().where(Persona.user == g.user, Persona.is_active).order_by(caseless(Persona.name), Persona.id)
    )
    form.persona.choices = [("", "None: the chatbot as it is"), *((str(one.id), one.name) for one in personas)]
    return form


def _first_page(form: FirstMessageForm) -> str:
    is_mine = (Conversation.user == g.user) & (Conversation.channel == CHANNEL)
    recent = Conversation.select(Conversation, Chatbot).join(Chatbot).where(is_mine)
    recent = recent.order_by(Conversation.updated_at.desc()).limit(RECENT)
    return render_template("talk/index.html", form=_keyed(form), recent=list(recent), offered=choices.OFFERED)
