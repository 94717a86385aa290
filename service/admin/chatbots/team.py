"""Whose a chatbot is: it goes to another team with all that was said to it."""

from __future__ import annotations

from flask import flash, g, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from service import audit
from service.admin.access.permissions import needs
from service.admin.chatbots.listing import has_namesake, pages
from service.admin.parts.forms import MoveForm
from service.admin.parts.kept import shown_again
from service.admin.parts.records import find_chatbot
from service.chat import access
from service.database import proxy, writing
from service.models import EDITOR, Chatbot, Creator
from service.models.base import caseless

NAMESAKE = "That team has a chatbot of this title already. Rename one of them first, so that they can be told apart."
TOO_LATE = "Somebody else has moved it just now. Look at whose it is."


@pages.get("/<int:chatbot_id>/team")
@needs(EDITOR)
def team(chatbot_id: int) -> str:
    chatbot = find_chatbot(chatbot_id)
    return _page(chatbot, _form(chatbot))


@pages.post("/<int:chatbot_id>/team")
@shown_again(MoveForm)
def move(chatbot_id: int) -> Response | tuple[str, int]:
    chatbot = find_chatbot(chatbot_id)
    form = _form(chatbot)
    if not _is_usable(form, chatbot):
        return _page(chatbot, form), 400
    target = Creator.get_by_id(form.team.data)
    is_done = _moved(chatbot, form.expected.data or 0, target)
    said = f"{chatbot.title} belongs to the team {target.name} now." if is_done else TOO_LATE
    flash(said, "success" if is_done else "danger")
    return redirect(url_for("chatbots.show", chatbot_id=chatbot.id), 303)


def _moved(chatbot: Chatbot, expected: int, target: Creator) -> bool:
    """Only from the team that the page named: of two who move it at once, the second learns of the first."""
    is_where_it_was = (Chatbot.id == chatbot.id) & (Chatbot.creator == expected)
    with writing(proxy.obj):
        is_done = bool(Chatbot.update(creator=target).where(is_where_it_was).execute())
        if is_done:
            details = {"from": Creator.get_by_id(expected).name, "to": target.name}
            audit.record(g.user, "chatbot.move", chatbot.title, address=request.remote_addr, details=details)
    return is_done


def _is_usable(form: MoveForm, chatbot: Chatbot) -> bool:
    if not form.validate():
        return False
    if has_namesake(chatbot.title, form.team.data):
        form.team.errors = [NAMESAKE]
    return not form.errors


def _form(chatbot: Chatbot) -> MoveForm:
    """Offers the teams that the user may make chatbots for: nobody gives one to people whom they don't know."""
    others = (
        access.creators(g.user).where(Creator.id != chatbot.creator_id).order_by(caseless(Creator.name), Creator.id)
    )
    form = MoveForm(request.form, expected=chatbot.creator_id)
    form.offer_teams(others)
    return form


def _page(chatbot: Chatbot, form: MoveForm) -> str:
    return render_template("chatbots/team.html", chatbot=chatbot, form=form)
