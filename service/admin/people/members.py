"""The people of the panel, for its owners: who they are, what they may do, and how somebody new comes in."""

from __future__ import annotations

from collections.abc import Callable

from flask import Blueprint, flash, g, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from service import audit
from service.admin.access import accounts, invitations, renewals, totp
from service.admin.access.forms import ROLES, InviteForm, RoleForm, TeamsForm
from service.admin.access.permissions import needs
from service.admin.parts.kept import shown_again
from service.admin.parts.records import find
from service.admin.people import register, team
from service.database import proxy, writing
from service.models import OWNER, Creator, Invitation, User
from service.models.base import caseless, utc_now

pages = Blueprint("people", __name__, url_prefix="/people")


@pages.get("/")
@needs(OWNER)
def index() -> str:
    wanted, after = request.args.get("q", "").strip()[:254], request.args.get("after", 0, int)
    page = register.page(wanted, after)
    return render_template(
        "people/index.html",
        people=page.rows,
        teams=register.teams_of(page.rows),
        invitations=[] if after else register.invited(wanted),
        wanted=wanted,
        is_first=not after,
        next=page.rows[-1].id if page.has_more else None,
        now=utc_now(),
    )


@pages.get("/invite")
@needs(OWNER)
def invite() -> str:
    return _invite_page(_invite_form())


@pages.post("/invite")
@needs(OWNER)
@shown_again(InviteForm)
def send() -> str | tuple[str, int]:
    form = _invite_form()
    if not form.validate():
        return _invite_page(form), 400
    creator = Creator.get_or_none(Creator.id == form.creator.data)
    try:
        with writing(proxy.obj):
            token = invitations.issue(form.email.data or "", form.role.data, creator, g.user)
            _note("invitation.issue", accounts.normalise(form.email.data or ""), role=form.role.data)
    except accounts.Refused as refusal:
        form.email.errors = [str(refusal)]
        return _invite_page(form), 400
    return _link_page(accounts.normalise(form.email.data or ""), token)


@pages.post("/invitations/<int:invitation_id>/renew")
@needs(OWNER)
def renew(invitation_id: int) -> str | Response:
    invitation = find(Invitation, invitation_id)
    try:
        with writing(proxy.obj):
            token = invitations.renew(invitation, g.user)
            _note("invitation.renew", invitation.email)
    except accounts.Refused as refusal:
        return _refused(refusal, url_for("people.index"))
    return _link_page(invitation.email, token)


@pages.post("/invitations/<int:invitation_id>/withdraw")
@needs(OWNER)
def withdraw(invitation_id: int) -> Response:
    invitation = find(Invitation, invitation_id)
    try:
        with writing(proxy.obj):
            invitations.withdraw(invitation)
            _note("invitation.withdraw", invitation.email)
    except accounts.Refused as refusal:
        return _refused(refusal, url_for("people.index"))
    flash(f"The invitation of {invitation.email} is withdrawn: its link opens nothing any more.", "success")
    return redirect(url_for("people.index"), 303)


@pages.get("/<int:user_id>")
@needs(OWNER)
def show(user_id: int) -> str:
    return _person_page(find(User, user_id))


@pages.post("/<int:user_id>/role")
@needs(OWNER)
@shown_again(RoleForm)
def change_role(user_id: int) -> Response | tuple[str, int]:
    user, form = find(User, user_id), RoleForm(request.form)
    if not form.validate():
        return _person_page(user, role_form=form), 400
    role = str(form.role.data)
    return _change(
        user,
        "person.role",
        f"{user.name} is now {role}.",
        lambda: team.change_role(user, role),
        role=role,
        was=user.role,
    )


@pages.post("/<int:user_id>/teams")
@needs(OWNER)
@shown_again(TeamsForm)
def change_teams(user_id: int) -> Response | tuple[str, int]:
    user, form = find(User, user_id), _teams_form()
    if not form.validate():
        return _person_page(user, teams_form=form), 400
    chosen = [creator for creator in _creators() if creator.id in (form.creators.data or [])]
    names = [creator.name for creator in chosen]
    return _change(
        user, "person.teams", "The teams are changed.", lambda: team.put_in(user, chosen, form.expected()), teams=names
    )


@pages.post("/<int:user_id>/close")
@needs(OWNER)
def close(user_id: int) -> Response:
    user = find(User, user_id)
    return _change(user, "person.close", f"{user.name} can't sign in any more.", lambda: team.close(user))


@pages.post("/<int:user_id>/open")
@needs(OWNER)
def open_again(user_id: int) -> Response:
    user = find(User, user_id)
    return _change(user, "person.open", f"{user.name} can sign in again.", lambda: team.open_again(user))


@pages.post("/<int:user_id>/sessions")
@needs(OWNER)
def end_sessions(user_id: int) -> Response:
    user = find(User, user_id)
    return _change(user, "session.end_all", f"{user.name} is signed out everywhere.", lambda: team.end_sessions(user))


@pages.post("/<int:user_id>/password-link")
@needs(OWNER)
def password_link(user_id: int) -> str | Response:
    """The one time that the link is shown."""
    user = find(User, user_id)
    if user.id == g.user.id or not user.is_active:
        return _refused(accounts.Refused("Such a link is for others, who may sign in."), _page_of(user))
    _note("person.password_link", user.email)
    link = url_for("welcome.new_password", renewal=renewals.issue(user), _external=True)
    return render_template("people/password_link.html", person=user, link=link)


@pages.post("/<int:user_id>/second-step")
@needs(OWNER)
def turn_off_second_step(user_id: int) -> Response:
    user = find(User, user_id)
    said = f"{user.name} signs in with the password alone."
    return _change(user, "second_step.off", said, lambda: totp.turn_off(user))


def _change(user: User, action: str, said: str, change: Callable[[], None], **details: object) -> Response:
    """The change and its record, or neither; back to the person's page, with what became of it. Nobody does it to
    themselves: a slip would lock them out of this page."""
    page = _page_of(user)
    try:
        if user.id == g.user.id:
            raise accounts.Refused("This is you. Another owner can change it.")
        with writing(proxy.obj):
            change()
            _note(action, user.email, **details)
    except accounts.Refused as refusal:
        return _refused(refusal, page)
    flash(said, "success")
    return redirect(page, 303)


def _page_of(user: User) -> str:
    return url_for("people.show", user_id=user.id)


def _refused(refusal: accounts.Refused, page: str) -> Response:
    flash(str(refusal), "danger")
    return redirect(page, 303)


def _note(action: str, subject: str, **details: object) -> None:
    audit.record(g.user, action, subject, address=request.remote_addr, details=details)


def _creators() -> list[Creator]:
    return list(Creator.select().order_by(caseless(Creator.name), Creator.id))


def _invite_form() -> InviteForm:
    form = InviteForm(request.form, creator=request.args.get("team", 0, int))
    form.offer(_creators())
    return form


def _teams_form(user: User | None = None) -> TeamsForm:
    """As it was sent; of a user, as it stands: to a form that was not sent, no box is ticked, whatever it is given."""
    mine = sorted(team.of(user)) if user else []
    form = TeamsForm(creators=mine, was=",".join(map(str, mine))) if user else TeamsForm(request.form)
    form.offer(_creators())
    return form


def _invite_page(form: InviteForm) -> str:
    return render_template("people/invite.html", form=form)


def _link_page(email: str, token: str) -> str:
    """The one time that the link is shown."""
    link = url_for("welcome.show", token=token, _external=True)
    return render_template("people/link.html", email=email, link=link, days=invitations.LIFETIME.days)


def _person_page(user: User, role_form: RoleForm | None = None, teams_form: TeamsForm | None = None) -> str:
    return render_template(
        "people/show.html",
        person=user,
        roles=dict(ROLES),
        role_form=role_form or RoleForm(role=user.role),
        teams_form=teams_form or _teams_form(user),
        is_me=user.id == g.user.id,
        now=utc_now(),
    )
