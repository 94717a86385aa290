"""Work on its way: what waits, who has it in hand, and what was given up until somebody says what becomes of it."""

from __future__ import annotations

from flask import Blueprint, abort, flash, g, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from service import audit
from service.admin.access.permissions import needs
from service.chat import deadletters, waiting
from service.chat.deadletters import KINDS, DeadLetter
from service.database import proxy, writing
from service.models import EDITOR
from service.models.base import utc_now

pages = Blueprint("queue", __name__, url_prefix="/queue")

SHOWN = 50
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
def retry(kind: deadletters.Kind, letter_id: int) -> Response:
    letter = _find(kind, letter_id)
    _settle(letter, "retry")
    flash(f"The {NAMES[kind]} is tried again. If it fails once more, it comes back here with the reason.", "success")
    return redirect(url_for("queue.index"), 303)


@pages.get("/<any(inbox, outbox):kind>/<int:letter_id>/drop")
@needs(EDITOR)
def confirm(kind: deadletters.Kind, letter_id: int) -> str:
    return render_template("queue/drop.html", letter=_find(kind, letter_id), names=NAMES)


@pages.post("/<any(inbox, outbox):kind>/<int:letter_id>/drop")
def drop(kind: deadletters.Kind, letter_id: int) -> Response:
    letter = _find(kind, letter_id)
    _settle(letter, "drop")
    flash(f"The {NAMES[kind]} is dropped. Nobody tries it again.", "success")
    return redirect(url_for("queue.index"), 303)


def _find(kind: deadletters.Kind, number: int) -> DeadLetter:
    letter = deadletters.find(g.user, kind, number) if number < 2**63 else None
    if letter is None:
        abort(404)
    return letter


def _settle(letter: DeadLetter, verb: str) -> None:
    """Retry or drop, with its record; the 409 page when somebody else was first to decide."""
    decide = deadletters.retry if verb == "retry" else deadletters.drop
    with writing(proxy.obj):
        if not decide(letter):
            abort(409)
        details = {"chatbot": letter.chatbot, "attempts": letter.attempts}
        audit.record(g.user, f"deadletter.{verb}", str(letter), address=request.remote_addr, details=details)
