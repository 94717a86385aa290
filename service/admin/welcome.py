"""Where an invitation leads: a name, a password, and one is in."""

from __future__ import annotations

from flask import Blueprint, render_template, request
from werkzeug.security import generate_password_hash
from werkzeug.wrappers import Response

from service.admin import accounts, errors, invitations, session
from service.admin.account_forms import WelcomeForm
from service.models import Invitation

pages = Blueprint("welcome", __name__, url_prefix="/welcome")

NO_USE = (
    "This invitation opens nothing any more",
    "It was used or withdrawn, or is older than a week. Ask whoever invited you for a new link; if it was you who used "
    "it, sign in.",
)


@pages.get("/<token>")
def show(token: str) -> str | tuple[str, int]:
    invitation = invitations.find(token)
    return _page(WelcomeForm(), invitation) if invitation else errors.page(404, NO_USE)


@pages.post("/<token>")
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


def _page(form: WelcomeForm, invitation: Invitation) -> str:
    return render_template("welcome.html", form=form, invitation=invitation)
