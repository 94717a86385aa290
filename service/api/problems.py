"""What a program reads when something did not work: one shape for every refusal and every failure."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import peewee as pw
from flask import Flask, Response, request
from pydantic import BaseModel, Field
from werkzeug.exceptions import HTTPException

from service.faults import headline, is_outage, takes_no_changes

logger = logging.getLogger(__name__)

# status: (code, what it means, for the description of the API and where nothing better is known)
STATUSES = {
    400: ("malformed", "The request can't be read: its body is no JSON, or its address is broken."),
    401: ("unauthorized", "Send a token that is valid, as `Authorization: Bearer slw_…`."),
    403: ("forbidden", "The token lacks the scope for this, or its user the role."),
    404: ("not_found", "There is no such thing, or it is not yours to see."),
    405: ("method_not_allowed", "This address knows other methods."),
    409: ("conflict", "The present state does not allow it."),
    413: ("too_large", "A request may carry up to 1 MB."),
    415: ("not_json", "The body has to be JSON, with `Content-Type: application/json`."),
    422: ("invalid", "The request can be read, but a value in it can't be used."),
    429: ("rate_limited", "Too many requests; come again after the seconds in `Retry-After`."),
    500: ("internal", "Something broke on our side. The log of the panel says what."),
    503: ("unavailable", "The database does not answer, or too many answers are being waited for. Try again."),
}


class Fault(BaseModel):
    """What went wrong, in a word for programs and a sentence for people."""

    code: str
    message: str
    details: Any = Field(None, description="More, where there is more: for `invalid`, each field with its problem.")


class ErrorAnswer(BaseModel):
    error: Fault


class Problem(Exception):
    """Ends a request with an error answer."""

    def __init__(
        self,
        status: int,
        message: str = "",
        *,
        code: str = "",
        details: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        known, meaning = STATUSES[status]
        self.status, self.code, self.message = status, code or known, message or meaning
        self.details, self.headers = details, dict(headers or {})
        super().__init__(self.message)


def init_app(app: Flask) -> None:
    app.register_error_handler(Problem, _told)
    app.register_error_handler(HTTPException, _refused)
    app.register_error_handler(Exception, _failed)


def _told(problem: Problem) -> Response:
    fault = Fault(code=problem.code, message=problem.message, details=problem.details)
    answer = ErrorAnswer(error=fault).model_dump_json()
    return Response(answer, problem.status, problem.headers, mimetype="application/json")


def _refused(error: HTTPException) -> Response:
    """What Flask itself refuses: an unknown address, another method, too large a body."""
    status = error.code or 500
    headers = {"Allow": ", ".join(sorted(getattr(error, "valid_methods", None) or ()))} if status == 405 else {}
    if status in STATUSES:
        return _told(Problem(status, headers=headers))
    code = error.name.lower().replace(" ", "_")
    response = _told(Problem(400, error.description or error.name, code=code))
    response.status_code = status
    return response


def _failed(error: Exception) -> Response:
    """Without a traceback: it would quote what was sent."""
    logger.error("%s %s failed with %s", request.method, request.path, headline(error))
    if takes_no_changes(error):
        return _told(Problem(503, "The database takes no changes at the moment; nothing was changed. Try again later."))
    is_gone = isinstance(error, pw.PeeweeException) and is_outage(error)
    return _told(Problem(503, "The database does not answer. Try again in a moment.") if is_gone else Problem(500))
