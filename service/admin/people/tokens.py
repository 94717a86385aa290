"""Keys to the HTTP API: one's own, and for owners everybody's."""

from __future__ import annotations

from datetime import datetime, timedelta

import peewee as pw
from flask import Blueprint, flash, g, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from service.admin.access.forms import TokenForm
from service.admin.access.permissions import needs
from service.admin.parts import paging
from service.admin.parts.forms import is_storable
from service.admin.parts.kept import shown_again
from service.admin.parts.records import LARGEST_ID, find_among
from service.api import tokens
from service.chat import access
from service.models import VIEWER, ApiToken, User
from service.models.base import utc_now

pages = Blueprint("tokens", __name__, url_prefix="/tokens")

PAGE_SIZE = 50
NAMESAKE = "You have a token of this name already. Choose another, or revoke that one."


@pages.get("/")
def index() -> str:
    wanted, after = request.args.get("q", "").strip()[:254], request.args.get("after", 0, int)
    page = paging.take(list(_listed(wanted, after).limit(PAGE_SIZE + 1)), PAGE_SIZE)
    return render_template(
        "tokens/index.html",
        tokens=page.rows,
        sees_all=access.sees_all(g.user),
        wanted=wanted,
        is_first=not after,
        next=page.rows[-1].id if page.has_more else None,
        now=utc_now(),
    )


@pages.get("/new")
def new() -> str:
    return _form_page(_form())


@pages.post("/new")
@needs(VIEWER)
@shown_again(TokenForm)
def issue() -> str | tuple[str, int]:
    form = _form()
    if not _is_usable(form):
        return _form_page(form), 400
    issued = tokens.issue(
        g.user,
        form.name.data or "",
        form.scopes.data or (),
        expires_at=_end(form.days.data),
        address=request.remote_addr,
    )
    return render_template("tokens/issued.html", token=issued.token, key=issued.key)


@pages.get("/<int:token_id>/revoke")
def confirm(token_id: int) -> str | Response:
    token = find_among(_visible(), ApiToken, token_id)
    if token.revoked_at:
        return redirect(url_for("tokens.index"))
    return render_template("tokens/revoke.html", token=token)


@pages.post("/<int:token_id>/revoke")
@needs(VIEWER)
def revoke(token_id: int) -> Response:
    token = find_among(_visible(), ApiToken, token_id)
    is_done = tokens.revoke(token, by=g.user, address=request.remote_addr)
    flash(f"{token.name} is revoked." if is_done else f"{token.name} was revoked already.", "success")
    return redirect(url_for("tokens.index"), 303)


def _is_usable(form: TokenForm) -> bool:
    if not form.validate():
        return False
    if _has_namesake(form.name.data or ""):
        form.name.errors = [NAMESAKE]
    return not form.errors


def _visible() -> pw.ModelSelect[ApiToken]:
    query: pw.ModelSelect[ApiToken] = ApiToken.select(ApiToken, User).join(User)
    return query if access.sees_all(g.user) else query.where(ApiToken.user == g.user)


def _listed(wanted: str, after: int) -> pw.ModelSelect[ApiToken]:
    """The newest first and the revoked at the end; those whose name, prefix or owner's email holds the wanted text,
    from behind the token of that number on."""
    query, is_over = _visible(), ApiToken.revoked_at.is_null(False)
    if wanted and is_storable(wanted):
        is_called = ApiToken.name.contains(wanted) | ApiToken.prefix.contains(wanted)
        query = query.where(is_called | User.email.contains(wanted))
    last = ApiToken.get_or_none(ApiToken.id == after) if 0 < after <= LARGEST_ID else None
    if last:
        is_older = ApiToken.id < last.id
        query = query.where(is_over & is_older if last.revoked_at else is_over | is_older)
    return query.order_by(is_over, ApiToken.id.desc())


def _has_namesake(name: str) -> bool:
    """Two of one name could not be told apart; and a page that is loaded again makes no second token."""
    mine = (ApiToken.user == g.user) & ApiToken.revoked_at.is_null()
    return ApiToken.select().where(mine, ApiToken.name == name).exists()


def _end(days: int) -> datetime | None:
    return utc_now() + timedelta(days=days) if days else None


def _form() -> TokenForm:
    form = TokenForm(request.form)
    form.offer(tokens.offered(g.user), tokens.SCOPES)
    return form


def _form_page(form: TokenForm) -> str:
    return render_template("tokens/new.html", form=form)
