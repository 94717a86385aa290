"""What a person reads when something did not work: what happened, and what to do now."""

from __future__ import annotations

import logging

import peewee as pw
from flask import Flask, render_template, request
from flask_wtf.csrf import CSRFError
from werkzeug.datastructures import Headers
from werkzeug.exceptions import HTTPException

from service.admin.parts.kept import typed
from service.faults import headline, is_outage, takes_no_changes

logger = logging.getLogger(__name__)

# status: (what happened, what to do)
TEXTS = {
    400: ("That request could not be read", "Go back, load the page again, and try once more."),
    401: ("Your session has ended", "Sign in, then try once more."),
    403: ("You may not do this", "Ask somebody who may, or sign in with another account."),
    404: (
        "There is no such page",
        "It may have been removed, or be of a team that you are not in, or the address may be mistyped.",
    ),
    405: ("That is not possible here", "Go back and use the buttons of the page."),
    409: ("Somebody was faster", "Load the page again to see the present state, then repeat your change."),
    413: (
        "That is too much at once",
        "A form may carry up to 1 MB, that of a chatbot up to 4 MB. Shorten the text and send it again.",
    ),
    429: ("Too many tries", "Wait a few minutes, then try again."),
    500: ("Something broke on our side", "The log of the panel says what. Try again in a moment."),
    503: (
        "The database does not answer",
        "Try again in a moment. If it stays like this, `migrate status` says what is wrong.",
    ),
}
FORM_EXPIRED = (
    "This form has expired",
    "The session has changed since its page was loaded. Load that page again, then repeat what you did.",
)
NO_CHANGES = (
    "The database takes no changes at the moment",
    "Nothing was changed: it is read-only, or its disk is full. The log of the panel says which.",
)
# Where sending it once more may help, and its own page can't be drawn.
KEEPING = frozenset({500, 503})


def init_app(app: Flask) -> None:
    app.register_error_handler(HTTPException, _refusal)
    app.register_error_handler(CSRFError, _expired)
    app.register_error_handler(pw.PeeweeException, _database_failed)


def page(status: int, texts: tuple[str, str]) -> tuple[str, int]:
    """An error page. It asks nothing of the database, which may be what failed."""
    kept = typed() if status in KEEPING else None
    return render_template("error.html", status=status, happened=texts[0], advice=texts[1], kept=kept), status


def _refusal(error: HTTPException) -> tuple[str, int, Headers] | HTTPException:
    """With what belongs to the refusal, such as which methods there are, but as a page."""
    status = error.code or 500
    if status < 400:  # a redirect that routing raised
        return error
    headers = Headers((name, value) for name, value in error.get_headers() if name != "Content-Type")
    return *page(status, TEXTS.get(status) or (error.name, TEXTS[400][1])), headers


def _expired(_error: CSRFError) -> tuple[str, int]:
    return page(400, FORM_EXPIRED)


def _database_failed(error: pw.PeeweeException) -> tuple[str, int]:
    """Without the traceback that other errors get: the driver quotes the values of the statement in it."""
    logger.error("%s %s: the database failed with %s", request.method, request.path, headline(error))
    if takes_no_changes(error):
        return page(503, NO_CHANGES)
    status = 503 if is_outage(error) else 500
    return page(status, TEXTS[status])
