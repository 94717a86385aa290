"""Signing in and out."""

from __future__ import annotations

import logging
import secrets

from flask import Blueprint, Response, flash, make_response, redirect, render_template, request, session, url_for
from flask_login import current_user, login_user, logout_user
from werkzeug.wrappers import Response as AnyResponse

from service import audit
from service.admin import accounts, devices, guesses, security
from service.admin.account_forms import SignInForm
from service.admin.display import count
from service.admin.permissions import needs
from service.database import proxy, writing
from service.models import VIEWER, User
from service.models.base import utc_now

pages = Blueprint("session", __name__)
logger = logging.getLogger(__name__)

REFUSED = (
    "That email and password don't open this panel. After five wrong passwords an account has to wait "
    "before the next try, from 30 seconds up to 15 minutes."
)
TOO_MANY = "Too many tries came from here. Wait {}, then try again."


@pages.get("/sign-in")
def sign_in() -> str | AnyResponse:
    if current_user.is_authenticated:
        return redirect(_destination())
    return _page(SignInForm())


@pages.post("/sign-in")
def start() -> tuple[str, int] | AnyResponse:
    form = SignInForm(request.form)
    if not form.validate():
        return _page(form), 400
    visit = guesses.Visit(request.remote_addr or "", request.cookies)
    try:
        user = accounts.authenticate(form.email.data or "", form.password.data or "", visit)
    except guesses.TooMany as refusal:
        return _page(form, refused=_later(refusal)), 429
    if user is None:
        logger.warning("A sign-in from %s was refused.", request.remote_addr)
        return _page(form, refused=REFUSED), 401
    return begin(user)


@pages.post("/sign-out")
@needs(VIEWER)
def end() -> AnyResponse:
    logout_user()
    session.clear()
    flash("You are signed out.", "success")
    return redirect(url_for("session.sign_in"), 303)


def begin(user: User) -> Response:
    """A new session: nothing that stood in the cookie before the sign-in is still worth anything after it."""
    with writing(proxy.obj):
        User.update(signed_in_at=utc_now()).where(User.id == user.id).execute()
        audit.record(user, "session.begin", user.email, address=request.remote_addr)
    session.clear()
    session.permanent = True
    session["nonce"] = secrets.token_hex(8)
    login_user(accounts.Visitor(user))
    response = make_response(redirect(_destination(), 303))
    devices.remember(response, user)
    return response


def _later(refusal: guesses.TooMany) -> str:
    hint = " If that is a proxy of yours, set TRUSTED_PROXIES." if security.hides_behind_a_proxy() else ""
    logger.warning("Too many sign-ins from %s.%s", request.remote_addr, hint)
    return TOO_MANY.format(count(-(-refusal.wait // 60), "minute"))


def _destination() -> str:
    wanted = request.args.get("next", "")
    return wanted if security.is_own_path(wanted) else url_for("dashboard.index")


def _page(form: SignInForm, refused: str = "") -> str:
    return render_template("sign_in.html", form=form, refused=refused, has_users=User.select().exists())
