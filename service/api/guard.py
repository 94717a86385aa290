"""Who is asking, whether they may, and whether they ask too often."""

from __future__ import annotations

import time

from flask import Response, current_app, g, request

from service import limits
from service.api import tokens
from service.api.problems import Problem
from service.config import Config

WINDOW = 60
# Wrong keys from one address in a window; a right one is let in all the same.
REFUSALS = 30


def admit(scope: str) -> None:
    """Let the request in as `g.token` of `g.user`, or refuse it: 401, 429, 403."""
    token = tokens.check(_key())
    if token is None:
        raise _unknown()
    g.token, g.user = token, token.user
    _count(f"api token {token.id}")
    if not tokens.grants(token, scope):
        has = ", ".join(token.scopes)
        raise Problem(403, f"This needs the scope {scope}. The token has {has}; its user's role may narrow that.")


def add_headers(response: Response) -> Response:
    response.headers.extend(g.get("limits", {}))
    return response


def _key() -> str:
    kind, _, key = request.headers.get("Authorization", "").partition(" ")
    return key.strip() if kind.lower() == "bearer" else ""


def _unknown() -> Problem:
    verdict = limits.take(f"api refusals {request.remote_addr}", limit=REFUSALS, seconds=WINDOW)
    if verdict.is_allowed:
        return Problem(401, headers={"WWW-Authenticate": 'Bearer realm="Slipway"'})
    return Problem(429, "Too many wrong tokens from this address.", headers={"Retry-After": str(verdict.wait)})


def _count(name: str) -> None:
    config: Config = current_app.config["SLIPWAY"]
    verdict = limits.take(name, limit=config.api_rate_limit, seconds=WINDOW)
    reset = verdict.wait or WINDOW - int(time.time()) % WINDOW
    g.limits = {
        "RateLimit-Limit": str(config.api_rate_limit),
        "RateLimit-Remaining": str(verdict.remaining),
        "RateLimit-Reset": str(reset),
    }
    if not verdict.is_allowed:
        raise Problem(429, headers={"Retry-After": str(verdict.wait)})
