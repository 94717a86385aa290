"""Where a link leads that an owner has handed over: into the panel, or to a new password."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.security import generate_password_hash
from werkzeug.wrappers import Response

from service import audit
from service.admin.access import accounts, invitations, renewals, session
from service.admin.access.forms import NewPasswordForm, WelcomeForm
from service.admin.parts import errors
from service.database import proxy, writing
from service.models import Invitation, User

pages = Blueprint("welcome", __name__)

NO_USE = (
    "This invitation opens nothing any more",
    "It was used or withdrawn, or is older than a week. Ask whoever invited you for a new link; if it was you who used "
    "it, sign in.",
)
NO_RENEWAL = (
    "This link opens nothing any more",
    "It was used, is older than a day, or was made before something else has changed. Ask an owner for a new one.",
)


@pages.get("/welcome/<token>")
def show(token: str) -> str | tuple[str, int]:
    invitation = invitations.find(token)
    return _page(WelcomeForm(), invitation) if invitation else errors.page(404, NO_USE)


@pages.post("/welcome/<token>")
def accept(token: str) -> Response | tuple[str, int]:
    invitation, form = invitations.find(token), WelcomeForm(request.form)
    if invitation is None:
        return errors.page(404, NO_USE)
    if not form.validate():
        return _page(form, invitation), 400
    # Hashed before the transaction begins: it takes its time, and others wait for the database meanwhile.
    password = generate_password_hash(form.password.data or "")
    try:
        user = invitations.accept(token, form.name.data or "", password, request.remote_addr)
    except accounts.Refused as refusal:
        return errors.page(409, (NO_USE[0], str(refusal)))
    return session.begin(user)


@pages.get("/new-password/<renewal>")
def new_password(renewal: str) -> str | tuple[str, int]:
    user = renewals.find(renewal)
    return _renewal_page(NewPasswordForm(), user) if user else errors.page(404, NO_RENEWAL)


@pages.post("/new-password/<renewal>")
def renew(renewal: str) -> Response | tuple[str, int]:
    """It leads to the sign-in, which asks for the second step too: the link stands for the password alone."""
    user, form = renewals.find(renewal), NewPasswordForm(request.form)
    if user is None:
        return errors.page(404, NO_RENEWAL)
    if not form.validate():
        return _renewal_page(form, user), 400
    password_hash = generate_password_hash(form.password.data or "")
    try:
        with writing(proxy.obj):
            accounts.change_password(user, password_hash)
            audit.record(user, "account.password", user.email, address=request.remote_addr)
    except accounts.Refused as refusal:
        return errors.page(409, (NO_RENEWAL[0], str(refusal)))
    flash("Your password is changed. Sign in with it.", "success")
    return redirect(url_for("session.sign_in"), 303)


def _renewal_page(form: NewPasswordForm, user: User) -> str:
    return render_template("new_password.html", form=form, user=user)


def _page(form: WelcomeForm, invitation: Invitation) -> str:
    return render_template("welcome.html", form=form, invitation=invitation)
