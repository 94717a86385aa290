"""One's own account: name, password, the second step, and where one is signed in."""

from __future__ import annotations

from flask import Blueprint, flash, g, redirect, render_template, request, session, url_for
from werkzeug.security import check_password_hash, generate_password_hash
from werkzeug.wrappers import Response

from service import audit
from service.admin.access import accounts, guesses, totp
from service.admin.access.forms import NameForm, PasswordForm, ProofForm, SecondStepForm
from service.admin.access.permissions import needs
from service.admin.access.session import renew, visit
from service.admin.parts.kept import shown_again
from service.admin.people import team
from service.database import proxy, writing
from service.models import VIEWER, User

pages = Blueprint("account", __name__, url_prefix="/account")

Answer = Response | tuple[str, int]
SECRET = "totp_secret"  # noqa: S105  # a name in the session, until the telephone has proved that it has it


@pages.get("/")
def index() -> str:
    return _page()


@pages.post("/name")
@needs(VIEWER)
@shown_again(NameForm)
def rename() -> Answer:
    form = NameForm(request.form)
    if not form.validate():
        return _page(name_form=form), 400
    with writing(proxy.obj):
        User.update(name=form.name.data).where(User.id == g.user.id).execute()
        _note("account.name")
    flash("Your name is changed.", "success")
    return _back()


@pages.post("/password")
@needs(VIEWER)
def change_password() -> Answer:
    form = PasswordForm(request.form)
    if not (form.validate() and _is_proved(form)):
        return _page(password_form=form), 400
    password_hash = generate_password_hash(form.password.data or "")
    try:
        with writing(proxy.obj):
            accounts.change_password(g.user, password_hash)
            _note("account.password")
    except accounts.Refused as refusal:
        form.present.errors = [str(refusal)]
        return _page(password_form=form), 409
    return _renewed("Your password is changed, and every other browser is signed out.")


@pages.post("/sessions")
@needs(VIEWER)
def end_sessions() -> Response:
    with writing(proxy.obj):
        team.end_sessions(g.user)
        _note("session.end_all")
    return _renewed("Every other browser is signed out.")


@pages.get("/second-step")
def second_step() -> str:
    return _second_step_page(ProofForm() if g.user.totp_secret else SecondStepForm())


@pages.post("/second-step")
@needs(VIEWER)
def turn_on() -> Answer:
    form, secret = SecondStepForm(request.form), session.get(SECRET, "")
    step = totp.step_of(secret, form.code.data or "")
    if form.validate() and step is None:
        form.code.errors = ["That code is not right. Wait for the next one, and check the clock of your telephone."]
    if step is None or form.errors or not _is_proved(form):
        return _second_step_page(form), 400
    with writing(proxy.obj):
        totp.turn_on(g.user, secret, step, accounts.lasting_key())
        _note("second_step.on")
    return _renewed("The second step is on. From now on, a sign-in asks for a code too.")


@pages.post("/second-step/off")
@needs(VIEWER)
def turn_off() -> Answer:
    form = ProofForm(request.form)
    if not (form.validate() and _is_proved(form)):
        return _second_step_page(form), 400
    with writing(proxy.obj):
        totp.turn_off(g.user)
        _note("second_step.off")
    flash("The second step is off.", "success")
    return _back()


def _is_proved(form: ProofForm) -> bool:
    """The password is asked for again, and counted like one at the sign-in: the session may be in strange hands."""
    try:
        may_try = guesses.claim(g.user, visit())
    except guesses.TooMany:
        may_try = False
    if may_try and check_password_hash(g.user.password_hash, form.present.data or ""):
        guesses.forgive(g.user, visit())
        return True
    form.present.errors = ["That is not your password." if may_try else "Too many tries. Wait a few minutes."]
    return False


def _note(action: str) -> None:
    audit.record(g.user, action, g.user.email, address=request.remote_addr)


def _renewed(said: str) -> Response:
    """This browser goes on, in a new session; those that began before have ended."""
    renew(g.user)
    flash(said, "success")
    return _back()


def _back() -> Response:
    return redirect(url_for("account.index"), 303)


def _page(name_form: NameForm | None = None, password_form: PasswordForm | None = None) -> str:
    return render_template(
        "account/index.html",
        name_form=name_form or NameForm(obj=g.user),
        password_form=password_form or PasswordForm(),
    )


def _second_step_page(form: ProofForm) -> str:
    """The same secret until it is proved: a page that is loaded again must not spoil what the telephone has read."""
    secret = "" if g.user.totp_secret else session.setdefault(SECRET, totp.new_secret())
    picture = totp.picture(totp.address(secret, g.user.email)) if secret else ""
    return render_template("account/second_step.html", form=form, secret=secret, picture=picture)
