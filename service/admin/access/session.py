"""Signing in and out."""

from __future__ import annotations

import logging
import secrets
import time

from flask import Blueprint, Response, flash, make_response, redirect, render_template, request, session, url_for
from flask_login import current_user, login_user, logout_user
from werkzeug.wrappers import Response as AnyResponse

from service import audit
from service.admin.access import accounts, devices, guesses, seals, security
from service.admin.access.bodies import DRAFT_LIMIT, carries
from service.admin.access.forms import CodeForm, SignInForm
from service.admin.access.permissions import needs
from service.admin.parts import kept
from service.admin.parts.display import count
from service.database import proxy, writing
from service.models import VIEWER, User
from service.models.base import utc_now

pages = Blueprint("session", __name__)
logger = logging.getLogger(__name__)

REFUSED = (
    "That email and password don't open this panel. After five wrong passwords an account has to wait "
    "before the next try, from 30 seconds up to 15 minutes."
)
WRONG_CODE = (
    "That code is not right, or was used before. Wait for the next one. After five wrong tries an account has to wait "
    "before the next, from 30 seconds up to 15 minutes."
)
OTHER_KEY = (
    "No code can be checked: the panel has another SECRET_KEY than when you turned on the second step. Whoever runs it "
    "gives it the old one again, or lets you in with `python -m service.admin reset-totp {}`."
)
TOO_MANY = "Too many tries came from here. Wait {}, then try again."
TOO_LATE = "That took longer than five minutes. Sign in again."
# Between the password and the code.
HALF_WAY = 300  # seconds


@pages.get("/sign-in")
def sign_in() -> str | AnyResponse:
    if current_user.is_authenticated:
        return redirect(_destination())
    return _page(SignInForm())


@pages.post("/sign-in")
@carries(DRAFT_LIMIT)
def start() -> tuple[str, int] | AnyResponse:
    form = SignInForm(request.form)
    if not form.validate():
        return _page(form), 400
    try:
        user = accounts.authenticate(form.email.data or "", form.password.data or "", visit())
    except guesses.TooMany as refusal:
        return _page(form, refused=_later(refusal)), 429
    if user is None:
        logger.warning("A sign-in from %s was refused.", request.remote_addr)
        return _page(form, refused=REFUSED), 401
    return _ask_for_the_code(user) if user.totp_secret else begin(user)


@pages.get("/sign-in/code")
def code() -> str | AnyResponse:
    return _code_page(CodeForm()) if _half_way() else _start_again()


@pages.post("/sign-in/code")
@carries(DRAFT_LIMIT)
def finish() -> tuple[str, int] | AnyResponse:
    user, form = _half_way(), CodeForm(request.form)
    if user is None:
        return _start_again()
    if not form.validate():
        return _code_page(form), 400
    try:
        is_right = accounts.take_code(user, form.code.data or "", visit())
    except guesses.TooMany as refusal:
        return _code_page(form, refused=_later(refusal)), 429
    except seals.Unreadable:
        logger.warning("A second step was turned on with another SECRET_KEY, so that no code can be checked.")
        return _code_page(form, refused=OTHER_KEY.format(user.email)), 503
    if not is_right:
        logger.warning("A code from %s was refused.", request.remote_addr)
        return _code_page(form, refused=WRONG_CODE), 401
    return begin(user)


@pages.post("/sign-out")
@needs(VIEWER)
def end() -> AnyResponse:
    logout_user()
    session.clear()
    flash("You are signed out.", "success")
    return redirect(url_for("session.sign_in"), 303)


def visit() -> guesses.Visit:
    """From where this request comes."""
    return guesses.Visit(request.remote_addr or "", request.cookies)


def begin(user: User) -> Response:
    """Signed in, on the way to the page that was wanted. What was typed before goes along (RFC 9110, 15.4.8)."""
    guesses.forgive(user, visit())
    with writing(proxy.obj):
        User.update(signed_in_at=utc_now()).where(User.id == user.id).execute()
        audit.record(user, "session.begin", user.email, address=request.remote_addr)
    renew(user)
    response = make_response(redirect(_destination(), 307 if kept.carried() else 303))
    devices.remember(response, user)
    return response


def renew(user: User) -> None:
    """A new session: nothing that stood in the cookie before is still worth anything after it."""
    session.clear()
    session.permanent = True
    session["nonce"] = secrets.token_hex(8)
    login_user(accounts.Visitor(User.get_by_id(user.id)))


def _ask_for_the_code(user: User) -> AnyResponse:
    """The password was right, which opens nothing yet. A password that changes meanwhile takes this back too."""
    session.clear()
    session["half_way"] = [accounts.Visitor(user).get_id(), int(time.time())]
    if kept.carried():
        return make_response(_code_page(CodeForm()))
    return redirect(url_for("session.code", next=request.args.get("next")), 303)


def _half_way() -> User | None:
    """Who has given their password, not long ago, and owes the code."""
    session_id, began = session.get("half_way", ("", 0))
    visitor = accounts.load(session_id) if time.time() - began < HALF_WAY else None
    return visitor.user if visitor and visitor.user.totp_secret else None


def _start_again() -> AnyResponse:
    if kept.carried():
        return make_response(_page(SignInForm(), refused=TOO_LATE))
    if "half_way" in session:
        flash(TOO_LATE, "warning")
    return redirect(url_for("session.sign_in", next=request.args.get("next")), 303)


def _later(refusal: guesses.TooMany) -> str:
    hint = " If that is a proxy of yours, set TRUSTED_PROXIES." if security.hides_behind_a_proxy() else ""
    logger.warning("Too many sign-ins from %s.%s", request.remote_addr, hint)
    return TOO_MANY.format(count(-(-refusal.wait // 60), "minute"))


def _destination() -> str:
    wanted = request.args.get("next", "")
    return wanted if security.is_own_path(wanted) else url_for("dashboard.index")


def _code_page(form: CodeForm, refused: str = "") -> str:
    form.code.data = ""
    here = url_for("session.finish", next=request.args.get("next"))
    return render_template("sign_in_code.html", form=form, refused=refused, here=here, typed=kept.carried())


def _page(form: SignInForm, refused: str = "") -> str:
    return render_template(
        "sign_in.html",
        form=form,
        refused=refused,
        has_users=User.select().exists(),
        here=url_for("session.start", next=request.args.get("next")),
        typed=kept.carried(),
    )
