"""Talking to a chatbot: a message goes into the inbox, and the page waits for what the worker makes of it."""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import Any, TypeVar

from flask import Blueprint, abort, g, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from service.admin import transcript
from service.admin.conversations import is_thread_of
from service.admin.forms import FirstMessageForm, MessageForm, is_storable
from service.admin.records import find_chatbot
from service.chat import access
from service.chat.receive import receive
from service.models import DEAD, DONE, Chatbot, Conversation, InboxItem, Message
from service.models.base import utc_now

pages = Blueprint("talk", __name__, url_prefix="/talk")

SomeForm = TypeVar("SomeForm", bound=MessageForm)

CHANNEL = "panel"
# After this the person should learn that perhaps nobody is there to answer.
PATIENCE = timedelta(seconds=20)
RECENT = 8


@pages.get("/")
def index() -> str:
    return _first_page(_offering(FirstMessageForm(chatbot=request.args.get("chatbot", None, int))))


@pages.post("/")
def start() -> Response | tuple[str, int]:
    form = _offering(FirstMessageForm(request.form))
    if not form.validate():
        return _first_page(form), 400
    # From the form's key, so that a message sent twice begins one conversation.
    return _send(find_chatbot(form.chatbot.data), f"user-{g.user.id}-{(form.key.data or '')[:12]}", form)


@pages.get("/<int:chatbot_id>/<thread>")
def show(chatbot_id: int, thread: str) -> str:
    chatbot = _partner(chatbot_id, thread)
    return render_template("talk/show.html", form=_keyed(MessageForm()), **_state(chatbot, thread))


@pages.get("/<int:chatbot_id>/<thread>/messages")
def messages(chatbot_id: int, thread: str) -> str:
    """The transcript alone, for the script of the page."""
    return render_template("talk/_messages.html", **_state(_partner(chatbot_id, thread), thread))


@pages.post("/<int:chatbot_id>/<thread>")
def send(chatbot_id: int, thread: str) -> Response | tuple[str, int]:
    chatbot = _partner(chatbot_id, thread)
    state = _state(chatbot, thread)
    form = MessageForm(request.form)
    if not form.validate():
        return render_template("talk/show.html", form=_keyed(form), **state), 400
    return _send(chatbot, thread, form)


def _send(chatbot: Chatbot, thread: str, form: MessageForm) -> Response:
    receive(
        chatbot,
        channel=CHANNEL,
        external_id=f"{g.user.id}-{form.key.data}",
        thread=thread,
        content=form.content.data or "",
        metadata={"user_id": g.user.id},
    )
    return redirect(url_for("talk.show", chatbot_id=chatbot.id, thread=thread), 303)


def _partner(chatbot_id: int, thread: str) -> Chatbot:
    """The chatbot; a thread of somebody else is as good as none."""
    if not (is_thread_of(g.user, thread) and is_storable(thread)):
        abort(404)
    return find_chatbot(chatbot_id)


def _state(chatbot: Chatbot, thread: str) -> dict[str, Any]:
    """What the transcript shows. The inbox is read first: read last, an answer that comes in between would be in
    neither, and the page would stop waiting for it."""
    items = _unanswered(chatbot, thread)
    conversation = Conversation.get_or_none(chatbot=chatbot, channel=CHANNEL, thread=thread)
    if conversation is None and not items:
        abort(404)
    shown = transcript.latest(conversation) if conversation else transcript.NOTHING
    items = _not_among(shown.messages, items)
    waiting = [item for item in items if item.state != DEAD]
    return {
        "chatbot": chatbot,
        "thread": thread,
        "conversation": conversation,
        "transcript": shown,
        "unanswered": items,
        "is_waiting": bool(waiting),
        "is_late": bool(waiting) and utc_now() - waiting[0].created_at > PATIENCE,
    }


def _unanswered(chatbot: Chatbot, thread: str) -> list[InboxItem]:
    of_thread = (InboxItem.chatbot == chatbot) & (InboxItem.channel == CHANNEL) & (InboxItem.thread == thread)
    return list(InboxItem.select().where(of_thread, InboxItem.state != DONE).order_by(InboxItem.id))


def _not_among(messages: list[Message], items: list[InboxItem]) -> list[InboxItem]:
    """Without what the messages show already, such as one that was given up with an apology, and what is older."""
    shown = {message.metadata.get("inbox", 0) for message in messages if message.role == "user"}
    return [item for item in items if item.id not in shown and item.id > min(shown, default=0)]


def _keyed(form: SomeForm) -> SomeForm:
    """With a key of its own, so that it can be sent; a key that was refused must not be offered again."""
    if not form.key.data or form.key.errors:
        form.key.data = secrets.token_hex(16)
    return form


def _offering(form: FirstMessageForm) -> FirstMessageForm:
    chatbots = access.chatbots(g.user).order_by(Chatbot.title, Chatbot.id)
    form.chatbot.choices = [(chatbot.id, chatbot.title) for chatbot in chatbots]
    return form


def _first_page(form: FirstMessageForm) -> str:
    is_mine = (Conversation.user == g.user) & (Conversation.channel == CHANNEL)
    recent = Conversation.select(Conversation, Chatbot).join(Chatbot).where(is_mine)
    recent = recent.order_by(Conversation.updated_at.desc()).limit(RECENT)
    return render_template("talk/index.html", form=_keyed(form), recent=list(recent))
