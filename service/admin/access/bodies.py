"""How much a form may carry: whatever its fields allow, in any alphabet. The rest is refused before it is read."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from flask import Flask, current_app, request

View = TypeVar("View", bound=Callable[..., Any])

LIMIT = 1024 * 1024
# A form sends what is not ASCII as three bytes for each byte of UTF-8, so 200,000 characters of a prompt are up to
# 2.4 MB; the talk with the draft, its question and the notes come on top.
DRAFT_LIMIT = 4 * LIMIT


def carries(limit: int) -> Callable[[View], View]:
    """Decorates a view whose form may carry more than others."""

    def mark(view: View) -> View:
        view.carries = limit  # type: ignore[attr-defined]  # functions take attributes
        return view

    return mark


def init_app(app: Flask) -> None:
    """Before anything that looks into a form, as the check of its token does."""
    app.before_request(_allow)


def _allow() -> None:
    limit = getattr(current_app.view_functions.get(request.endpoint or ""), "carries", None)
    if limit is not None:
        request.max_content_length = request.max_form_memory_size = limit
