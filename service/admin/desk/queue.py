"""Work on its way: what waits, who has it in hand, and what was given up until somebody says what becomes of it."""

from __future__ import annotations

import re
from typing import cast

from flask import Blueprint, abort, flash, g, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from service import audit
from service.admin.access.permissions import needs
from service.admin.parts.display import count
from service.chat import deadletters, waiting
from service.chat.deadletters import KINDS, DeadLetter, Kind
from service.database import proxy, writing
from service.models import EDITOR
from service.models.base import utc_now

pages = Blueprint("queue", __name__, url_prefix="/queue")

SHOWN = 50
# A dead letter as a form names it; no more digits than a number of a row has.
_NAME = re.compile(r"(inbox|outbox)-([0-9]{1,18})", re.ASCII)
# What the two kinds are called where a person reads of them.
NAMES = {"inbox": "question", "outbox": "delivery"}


@pages.get("/")
def index() -> str:
    return render_template(
        "queue/index.html",
        now=utc_now(),
        depth=waiting.depth(g.user),
        items=[item for kind in KINDS for item in waiting.listed(g.user, kind, SHOWN)],
        letters=[letter for kind in KINDS for letter in deadletters.listed(g.user, kind, limit=SHOWN)],
        dead=sum(deadletters.count(g.user).values()),
        names=NAMES,
    )


@pages.post("/<any(inbox, outbox):kind>/<int:letter_id>/retry")
def retry(kind: Kind, letter_id: int) -> Response:
    letter = _find(kind, letter_id)
    _settle(letter, "retry")
    flash(f"The {NAMES[kind]} is tried again. If it fails once more, it comes back here with the reason.", "success")
    return redirect(url_for("queue.index"), 303)


@pages.get("/<any(inbox, outbox):kind>/<int:letter_id>/drop")
@needs(EDITOR)
def confirm(kind: Kind, letter_id: int) -> str:
    return render_template("queue/drop.html", letter=_find(kind, letter_id), names=NAMES)


@pages.post("/<any(inbox, outbox):kind>/<int:letter_id>/drop")
def drop(kind: Kind, letter_id: int) -> Response:
    letter = _find(kind, letter_id)
    _settle(letter, "drop")
    flash(f"The {NAMES[kind]} is dropped. Nobody tries it again.", "success")
    return redirect(url_for("queue.index"), 303)


@pages.post("/retry")
def retry_many() -> Response:
    """Those that the page showed, and no other: what died since is for somebody to look at first."""
    return _settle_many("retry", "Tried again")


@pages.get("/drop")
@needs(EDITOR)
def confirm_many() -> str | Response:
    letters = _named(request.args.getlist("letter"))
    if not letters:
        flash("Nothing of that is left to be settled.", "warning")
        return redirect(url_for("queue.index"))
    return render_template("queue/drop_many.html", letters=letters, names=NAMES)


@pages.post("/drop")
def drop_many() -> Response:
    return _settle_many("drop", "Dropped")


def _settle_many(verb: str, done: str) -> Response:
    named = request.form.getlist("letter")
    with writing(proxy.obj):
        settled = sum(_is_settled(letter, verb) for letter in _named(named))
    late = len(named) - settled
    others = f" Somebody else was first to settle {late} more." if late else ""
    flash(f"{done}: {count(settled, 'dead letter')}.{others}", "success" if settled else "warning")
    return redirect(url_for("queue.index"), 303)


def _named(names: list[str]) -> list[DeadLetter]:
    """Those of `inbox-17` and its like that are still dead, and the user's to see; no more than a page has."""
    parsed = [_NAME.fullmatch(name) for name in names[: SHOWN * len(KINDS)]]
    found = [deadletters.find(g.user, cast(Kind, name[1]), int(name[2])) for name in parsed if name]
    return [letter for letter in found if letter]


def _find(kind: Kind, number: int) -> DeadLetter:
    letter = deadletters.find(g.user, kind, number) if number < 2**63 else None
    if letter is None:
        abort(404)
    return letter


def _settle(letter: DeadLetter, verb: str) -> None:
    """The 409 page when somebody else was first to decide."""
    with writing(proxy.obj):
        if not _is_settled(letter, verb):
            abort(409)


def _is_settled(letter: DeadLetter, verb: str) -> bool:
    """Retry or drop, with its record; False when somebody else was first."""
    decide = deadletters.retry if verb == "retry" else deadletters.drop
    is_done = decide(letter)
    if is_done:
        details = {"chatbot": letter.chatbot, "attempts": letter.attempts}
        audit.record(g.user, f"deadletter.{verb}", str(letter), address=request.remote_addr, details=details)
    return is_done
