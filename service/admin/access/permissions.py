"""What a role may do. Looking needs a viewer and changing an editor, unless a page says otherwise with `@needs`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from service.chat.access import has_role as may
from service.models import EDITOR, VIEWER

__all__ = ["may", "needs", "required"]

View = TypeVar("View", bound=Callable[..., Any])

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


def needs(role: str) -> Callable[[View], View]:
    """Decorates a view that somebody of a lower role may not use."""

    def mark(view: View) -> View:
        view.needs = role  # type: ignore[attr-defined]  # functions take attributes
        return view

    return mark


def required(view: Callable[..., Any], method: str) -> str:
    """The least role for this view and method."""
    role: str = getattr(view, "needs", VIEWER if method in _SAFE else EDITOR)
    return role
