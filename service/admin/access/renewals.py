"""A link with which somebody who has forgotten their password chooses a new one. An owner makes it and hands it over.

Nothing of it is stored. The link is signed, together with what a new password changes: so it works once, and not at all
after any other end of their sessions."""

from __future__ import annotations

from datetime import timedelta

from flask import current_app
from itsdangerous import BadSignature, URLSafeTimedSerializer

from service.admin.access import accounts
from service.models import User

LIFETIME = timedelta(days=1)


def issue(user: User) -> str:
    """The token of a link."""
    return str(_serializer().dumps(accounts.Visitor(user).get_id()))


def find(token: str) -> User | None:
    """Whose password the link renews, if it still does."""
    try:
        session_id = _serializer().loads(token, max_age=int(LIFETIME.total_seconds()))
    except BadSignature:
        return None
    visitor = accounts.load(session_id)
    return visitor.user if visitor else None


def _serializer() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(str(current_app.secret_key), salt="new password")
