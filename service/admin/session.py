"""Signing in and out."""

from __future__ import annotations

import logging
import secrets

from flask import Blueprint, flash, redirect, render_template, request, session, url_for
from flask_login import current_user, login_user, logout_user
from werkzeug.wrappers import Response

from service.admin import accounts
from service.admin.forms import SignInForm
from service.admin.permissions import needs
from service.admin.security import is_own_path
from service.models import VIEWER, User

pages = Blueprint("session", __name__)
logger = logging.getLogger(__name__)

REFUSED = (
    "That email and password don't open this panel. After five wrong passwords an account has to wait "
    "before the next try, from 30 seconds up to 15 minutes."
)


@pages.get("/")
def home() -> Response:
    return redirect(url_for("chatbots.index"))


@pages.get("/sign-in")
def sign_in() -> str | Response:
    if current_user.is_authenticated:
        return redirect(_destination())
    return _page(SignInForm())


@pages.post("/sign-in")
def start() -> tuple[str, int] | Response:
    form = SignInForm(request.form)
    if not form.validate():
        return _page(form), 400
    user = accounts.authenticate(form.email.data or "", form.password.data or "")
    if user is None:
        logger.warning("A sign-in from %s was refused.", request.remote_addr)
        return _page(form, refused=REFUSED), 401
    _begin(user)
    return redirect(_destination(), 303)


@pages.post("/sign-out")
@needs(VIEWER)
def end() -> Response:
    logout_user()
    session.clear()
    flash("You are signed out.", "success")
    return redirect(url_for("session.sign_in"), 303)


def _begin(user: User) -> None:
    """A new session: nothing that stood in the cookie before the sign-in is still worth anything after it."""
    session.clear()
    session.permanent = True
    session["nonce"] = secrets.token_hex(8)
    login_user(accounts.Visitor(user))


def _destination() -> str:
    wanted = request.args.get("next", "")
    return wanted if is_own_path(wanted) else url_for("chatbots.index")


def _page(form: SignInForm, refused: str = "") -> str:
    return render_template("sign_in.html", form=form, refused=refused, has_users=User.select().exists())
