"""The teams: whose chatbots people see. One that nothing belongs to any more can be removed."""

from __future__ import annotations

from typing import Any, NamedTuple

import peewee as pw
from flask import flash, g, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from service import audit
from service.admin.access.accounts import Refused
from service.admin.access.forms import TeamForm
from service.admin.access.permissions import needs
from service.admin.parts.display import count
from service.admin.parts.kept import shown_again
from service.admin.parts.records import find
from service.admin.people.members import pages
from service.database import proxy, writing
from service.models import OWNER, Chatbot, Creator, CreatorUser, Invitation, User
from service.models.base import caseless

# Of the chatbots of a team.
SHOWN = 50
NAMESAKE = "There is a team of this name already. Choose another, so that they can be told apart."


class Team(NamedTuple):
    """A creator, and how much belongs to it."""

    creator: Creator
    people: int
    chatbots: int
    invitations: int

    @property
    def belongings(self) -> str:
        """What keeps it from being removed; nothing when it can be."""
        counted = ((self.chatbots, "chatbot"), (self.people, "person"), (self.invitations, "waiting invitation"))
        return ", ".join(count(number, noun).replace("persons", "people") for number, noun in counted if number)


@pages.get("/teams")
@needs(OWNER)
def teams() -> str:
    return _list_page(TeamForm())


@pages.post("/teams")
@needs(OWNER)
@shown_again(TeamForm)
def make_team() -> Response | tuple[str, int]:
    form = TeamForm(request.form)
    if not _is_usable(form):
        return _list_page(form), 400
    with writing(proxy.obj):
        creator = Creator.create(name=form.name.data)
        _note("team.create", creator)
    flash(f"{creator.name} is there. Put people into it on their pages, or invite somebody.", "success")
    return redirect(url_for("people.teams"), 303)


@pages.get("/teams/<int:creator_id>")
@needs(OWNER)
def team(creator_id: int) -> str:
    creator = find(Creator, creator_id)
    return _team_page(creator, TeamForm(obj=creator))


@pages.post("/teams/<int:creator_id>/name")
@needs(OWNER)
@shown_again(TeamForm)
def rename_team(creator_id: int) -> Response | tuple[str, int]:
    creator, form = find(Creator, creator_id), TeamForm(request.form)
    if not _is_usable(form, creator):
        return _team_page(creator, form), 400
    renamed = Creator.update(name=form.name.data).where(Creator.id == creator.id, Creator.name == creator.name)
    with writing(proxy.obj):
        is_done = bool(renamed.execute())
        if is_done:
            _note("team.rename", creator, to=form.name.data)
    said = f"The team is now called {form.name.data}." if is_done else "Somebody else has changed it just now."
    flash(said, "success" if is_done else "danger")
    return redirect(url_for("people.teams"), 303)


@pages.post("/teams/<int:creator_id>/remove")
@needs(OWNER)
def remove_team(creator_id: int) -> Response:
    creator = find(Creator, creator_id)
    try:
        with writing(proxy.obj):
            _remove(creator)
            _note("team.remove", creator)
    except (Refused, pw.IntegrityError) as refusal:
        said = str(refusal) if isinstance(refusal, Refused) else "Something was put into it just now."
        flash(said, "danger")
    else:
        flash(f"{creator.name} is removed.", "success")
    return redirect(url_for("people.teams"), 303)


def _remove(creator: Creator) -> None:
    """Holds the row first: who would be put into the team meanwhile waits, and finds it gone."""
    row = Creator.select().where(Creator.id == creator.id)
    held = list(row.for_update() if Creator._meta.database.for_update else row)
    if belongings := [found.belongings for found in _counted(held) if found.belongings]:
        raise Refused(f"{creator.name} stays as long as something belongs to it. Now: {belongings[0]}.")
    if not Creator.delete().where(Creator.id == creator.id).execute():
        raise Refused(f"{creator.name} is gone: somebody else has removed it.")


def _counted(creators: list[Creator]) -> list[Team]:
    is_waiting = Invitation.accepted_at.is_null()
    people, chatbots = _by_creator(CreatorUser), _by_creator(Chatbot)
    invited = _by_creator(Invitation, is_waiting)
    return [Team(one, people.get(one.id, 0), chatbots.get(one.id, 0), invited.get(one.id, 0)) for one in creators]


def _by_creator(model: Any, *conditions: Any) -> dict[int, int]:
    query = model.select(model.creator, pw.fn.COUNT(model.id)).where(model.creator.is_null(False), *conditions)
    return dict(query.group_by(model.creator).tuples())


def _is_usable(form: TeamForm, creator: Creator | None = None) -> bool:
    if not form.validate():
        return False
    same = Creator.select().where(caseless(Creator.name) == caseless(form.name.data))
    if same.where(Creator.id != (creator.id if creator else 0)).exists():
        form.name.errors = [NAMESAKE]
    return not form.errors


def _note(action: str, creator: Creator, **details: object) -> None:
    audit.record(g.user, action, creator.name, address=request.remote_addr, details=details)


def _list_page(form: TeamForm) -> str:
    found = _counted(list(Creator.select().order_by(caseless(Creator.name), Creator.id)))
    return render_template("people/teams.html", teams=found, form=form)


def _team_page(creator: Creator, form: TeamForm) -> str:
    (found,) = _counted([creator])
    members = User.select().join(CreatorUser).where(CreatorUser.creator == creator).order_by(User.email)
    chatbots = Chatbot.select(Chatbot.id, Chatbot.title).where(Chatbot.creator == creator)
    chatbots = chatbots.order_by(caseless(Chatbot.title), Chatbot.id).limit(SHOWN)
    return render_template("people/team.html", team=found, form=form, members=list(members), chatbots=list(chatbots))
