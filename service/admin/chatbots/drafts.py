"""Drafts: settings that are typed, tried, and published as a version."""

from __future__ import annotations

from typing import Any

from flask import Response, current_app, flash, g, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from service import audit, limits
from service.admin.access.bodies import DRAFT_LIMIT, carries
from service.admin.access.permissions import needs
from service.admin.chatbots import trial
from service.admin.chatbots.listing import has_namesake, pages
from service.admin.parts.forms import ChatbotForm, NewChatbotForm
from service.admin.parts.kept import shown_again
from service.admin.parts.records import find_chatbot
from service.chat import access, creation, options, providers, versions
from service.chat.providers import Turn
from service.chat.tools import choice, servers
from service.config import Config
from service.database import proxy, writing
from service.models import EDITOR, SETTINGS, Chatbot, ChatbotVersion, Creator
from service.models.base import caseless

LINES = "application/jsonl"
TRIES_A_MINUTE = 20
NAMESAKE = "This team has a chatbot of that title already. Choose another, so that they can be told apart."
TOO_OFTEN = trial.Event("error", "That was often within a minute. Wait a little, then try again.")


@pages.get("/new")
@needs(EDITOR)
def new() -> str:
    return _form_page(_new_form(), None)


@pages.post("/new")
@carries(DRAFT_LIMIT)
@shown_again(NewChatbotForm)
def create() -> AnyResponse | tuple[str, int]:
    form = _new_form()
    if not _is_usable(form):
        return _form_page(form, None), 400
    try:
        with writing(proxy.obj):
            team = access.creators(g.user).where(Creator.id == form.team.data).first()
            chatbot = creation.create(g.user, form.changes(), team)
            audit.record(g.user, "chatbot.create", chatbot.title, address=request.remote_addr)
    except options.SettingError as error:
        return _refusal(form, None, error), 400
    flash(f"{chatbot.title} is there. Say hello to it.", "success")
    return redirect(url_for("chatbots.show", chatbot_id=chatbot.id), 303)


@pages.get("/<int:chatbot_id>/edit")
@needs(EDITOR)
def edit(chatbot_id: int) -> str:
    chatbot = find_chatbot(chatbot_id)
    current = versions.current(chatbot)
    return _form_page(_form(chatbot, current, title=chatbot.title, expected=current.number), chatbot)


@pages.post("/<int:chatbot_id>/edit")
@carries(DRAFT_LIMIT)
@shown_again(ChatbotForm)
def publish(chatbot_id: int) -> AnyResponse | tuple[str, int]:
    chatbot = find_chatbot(chatbot_id)
    form = _form(chatbot)
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


@pages.post("/new/try")
@carries(DRAFT_LIMIT)
@shown_again(NewChatbotForm)
def try_new() -> AnyResponse | tuple[str, int]:
    return _try(_new_form(), None)


@pages.post("/<int:chatbot_id>/try")
@carries(DRAFT_LIMIT)
@shown_again(ChatbotForm)
def try_draft(chatbot_id: int) -> AnyResponse | tuple[str, int]:
    chatbot = find_chatbot(chatbot_id)
    return _try(_form(chatbot), chatbot)


def _try(form: ChatbotForm, chatbot: Chatbot | None) -> AnyResponse | tuple[str, int]:
    """The answer that the draft would give: in pieces for the script, else as the page with the answer beside the form.
    Nothing is published, and all that was typed stays."""
    if not form.validate() or not form.question.data:
        form.question.errors = form.question.errors or ([] if form.question.data else ["Type a question."])
        return _form_page(form, chatbot), 400
    settings = {name: value for name, value in form.changes().items() if name in SETTINGS}
    try:
        options.check(settings)
    except options.SettingError as error:
        return _refusal(form, chatbot, error), 400
    turns = (*trial.read(form.said.data or ""), Turn("user", form.question.data))
    found = trial.events(_config(), settings, turns) if _may_try() else iter([TOO_OFTEN])
    if request.accept_mimetypes.best == LINES:
        return Response(trial.lines(found), mimetype=LINES)
    answer = trial.gathered(found)
    if not answer.error:
        form.said.data = trial.written([*turns, Turn("assistant", answer.text)])
        form.question.data = ""
    return _form_page(form, chatbot, answer=answer), 200


def _may_try() -> bool:
    return limits.take(f"try {g.user.id}", limit=TRIES_A_MINUTE, seconds=60).is_allowed


def _config() -> Config:
    config: Config = current_app.config["SLIPWAY"]
    return config


def _conflict_page(form: ChatbotForm, chatbot: Chatbot, conflict: versions.VersionConflict) -> str:
    """What was typed stays; what the others changed is named; the next try knows of their version."""
    theirs = versions.current(chatbot)
    ours = ChatbotVersion.get_or_none(chatbot=chatbot, number=conflict.expected)
    changed = [form[name].label.text for name in SETTINGS if ours and getattr(ours, name) != getattr(theirs, name)]
    form.expected.data = theirs.number
    return _form_page(form, chatbot, theirs=theirs, began_with=conflict.expected, changed=changed)


def _refusal(form: ChatbotForm, chatbot: Chatbot | None, error: options.SettingError) -> str:
    field = form[error.setting]
    # By the name that it has on the page; inside a config, a key has but one.
    field.errors = [str(error).replace(f"{error.setting} ", f"{field.label.text} ", 1)]
    return _form_page(form, chatbot)


def _form(chatbot: Chatbot, source: ChatbotVersion | None = None, **values: Any) -> ChatbotForm:
    form = ChatbotForm(request.form, obj=source, **values)
    if source is not None:
        form.notes.data = ""
        form.show_servers()
    present = source or chatbot
    form.offer_providers(sorted(providers.built_in()), present.model_provider)
    chosen, known = choice.named(present.config), _servers()
    form.offer_servers(chosen if known.trouble else known.names, chosen)
    return form


def _new_form() -> NewChatbotForm:
    own = creation.creator_of(g.user)
    usual = own.id if own else 0
    form = NewChatbotForm(request.form, team=request.args.get("team", usual, int))
    form.offer_teams(access.creators(g.user).order_by(caseless(Creator.name), Creator.id), usual)
    form.offer_providers(sorted(providers.built_in()), "offline")
    form.offer_servers(_servers().names, ())
    return form


def _is_usable(form: NewChatbotForm) -> bool:
    """A form that is sent twice makes no second chatbot."""
    if not form.validate():
        return False
    if has_namesake(form.title.data or "", form.team.data):
        form.title.errors = [NAMESAKE]
    return not form.errors


def _servers() -> servers.Known:
    return servers.known(_config().mcp_servers)


def _form_page(form: ChatbotForm, chatbot: Chatbot | None, **more: Any) -> str:
    turns = trial.read(form.said.data or "")
    more["trouble"] = _servers().trouble
    return render_template("chatbots/form.html", form=form, chatbot=chatbot, turns=turns, **more)
