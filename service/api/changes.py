"""The record of a change that came through the API: made in the change's own transaction, with the token's name."""

from __future__ import annotations

from typing import Any

from flask import g, request

from service import audit


def note(action: str, subject: str, **details: Any) -> None:
    audit.record(g.user, action, subject, address=request.remote_addr, details={"token": g.token.name, **details})
