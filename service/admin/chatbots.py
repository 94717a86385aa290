"""The chatbots: which there are, what is live, and publishing the next version."""

from __future__ import annotations

from typing import Any

import peewee as pw
from flask import Blueprint, abort, flash, g, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from service import audit
from service.admin.forms import ChatbotForm
from service.admin.records import find_chatbot
from service.chat import access, creation, options, providers, versions
from service.database import proxy, writing
from service.models import SETTINGS, Chatbot, ChatbotVersion, Conversation, User

pages = Blueprint("chatbots", __name__, url_prefix="/chatbots")


@pages.get("/")
def index() -> str:
    chatbots = list(
        access.chatbots(g.user)
        .select_extend(ChatbotVersion)
        .join(ChatbotVersion, pw.JOIN.LEFT_OUTER, on=Chatbot.current_version)
        .order_by(Chatbot.title, Chatbot.id)
    )
    return render_template("chatbots/index.html", chatbots=chatbots, talks=_conversations_per_chatbot())


@pages.get("/new")
def new() -> str:
    return _form_page(_form(), None)


@pages.post("/new")
def create() -> Response | tuple[str, int]:
    form = _form()
    if not form.validate():
        return _form_page(form, None), 400
    try:
        with writing(proxy.obj):
            chatbot = creation.create(g.user, form.changes())
            audit.record(g.user, "chatbot.create", chatbot.title, address=request.remote_addr)
    except options.SettingError as error:
        return _refusal(form, None, error), 400
    flash(f"{chatbot.title} is there. Say hello to it.", "success")
    return redirect(url_for("chatbots.show", chatbot_id=chatbot.id), 303)


@pages.get("/<int:chatbot_id>")
def show(chatbot_id: int) -> str:
    chatbot = find_chatbot(chatbot_id)
    return render_template(
        "chatbots/show.html", chatbot=chatbot, current=versions.current(chatbot), versions=_versions(chatbot)
    )


@pages.get("/<int:chatbot_id>/versions/<int:number>")
def version(chatbot_id: int, number: int) -> str:
    chatbot = find_chatbot(chatbot_id)
    shown = next((row for row in _versions(chatbot) if row.number == number), None)
    if shown is None:
        abort(404)
    return render_template("chatbots/version.html", chatbot=chatbot, version=shown)


@pages.get("/<int:chatbot_id>/edit")
def edit(chatbot_id: int) -> str:
    chatbot = find_chatbot(chatbot_id)
    current = versions.current(chatbot)
    return _form_page(_form(current, title=chatbot.title, expected=current.number), chatbot)


@pages.post("/<int:chatbot_id>/edit")
def publish(chatbot_id: int) -> Response | tuple[str, int]:
    chatbot = find_chatbot(chatbot_id)
    form = _form(present=chatbot.model_provider)
    if not form.validate():
        return _form_page(form, chatbot), 400
    expected = form.expected.data or 0
    try:
        with writing(proxy.obj):
            made = versions.publish(
                chatbot, form.changes(), expected=expected, author=g.user, notes=form.notes.data or ""
            )
            said = f"{chatbot.title}, version {made.number}"
            audit.record(g.user, "chatbot.publish", said, address=request.remote_addr)
    except versions.VersionConflict as conflict:
        return _conflict_page(form, chatbot, conflict), 409
    except options.SettingError as error:
        return _refusal(form, chatbot, error), 400
    flash(f"Version {made.number} is live. New conversations begin with it.", "success")
    return redirect(url_for("chatbots.show", chatbot_id=chatbot.id), 303)


def _conflict_page(form: ChatbotForm, chatbot: Chatbot, conflict: versions.VersionConflict) -> str:
    """What was typed stays; what the others changed is named; the next try knows of their version."""
    theirs = versions.current(chatbot)
    ours = ChatbotVersion.get_or_none(chatbot=chatbot, number=conflict.expected)
    changed = [form[name].label.text for name in SETTINGS if ours and getattr(ours, name) != getattr(theirs, name)]
    form.expected.data = theirs.number
    return _form_page(form, chatbot, theirs=theirs, changed=changed)


def _refusal(form: ChatbotForm, chatbot: Chatbot | None, error: options.SettingError) -> str:
    form[error.setting].errors = [str(error)]
    return _form_page(form, chatbot)


def _form(source: ChatbotVersion | None = None, *, present: str = "offline", **values: Any) -> ChatbotForm:
    form = ChatbotForm(request.form, obj=source, **values)
    if source is not None:
        form.notes.data = ""
    form.offer_providers(sorted(providers.built_in()), source.model_provider if source else present)
    return form


def _form_page(form: ChatbotForm, chatbot: Chatbot | None, **more: Any) -> str:
    return render_template("chatbots/form.html", form=form, chatbot=chatbot, **more)


def _versions(chatbot: Chatbot) -> list[ChatbotVersion]:
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
