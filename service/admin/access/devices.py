"""Browsers from which somebody has signed in before. A cookie tells them apart, so that a stranger who guesses at an
account locks out other strangers and not the person whose account it is.

The cookie opens nothing: it only says in which count a try is counted (see `guesses`)."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import timedelta

from flask import Response, current_app, request
from itsdangerous import BadSignature, URLSafeSerializer

from service.admin.access import cookies
from service.models import User

LIFETIME = timedelta(days=365)


def known(user: User, carried: Mapping[str, str]) -> str | None:
    """The name of the browser that carries these cookies, if the user has signed in with it."""
    carries = carried.get(_cookie(user))
    if not carries:
        return None
    try:
        number, name = _serializer().loads(carries)
    except (BadSignature, TypeError, ValueError):
        return None
    return str(name) if number == user.id else None


def remember(response: Response, user: User) -> None:
    name = known(user, request.cookies) or secrets.token_hex(8)
    response.set_cookie(
        _cookie(user),
        _serializer().dumps([user.id, name]),
        max_age=LIFETIME,
        httponly=True,
        samesite="Lax",
        secure=cookies.are_secure(current_app),
    )


def _cookie(user: User) -> str:
    """One for each user: people may share a browser."""
    return f"slipway_device_{user.id}"


def _serializer() -> URLSafeSerializer:
    return URLSafeSerializer(str(current_app.secret_key), salt="device")
