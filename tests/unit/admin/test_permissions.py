"""Roles, without a request."""

from __future__ import annotations

import pytest

from service.admin.access.permissions import may, needs, required
from service.models import EDITOR, OWNER, VIEWER, User


def view() -> None:
    """A view that says nothing of roles."""


@pytest.mark.parametrize(
    ("method", "role"), [("GET", VIEWER), ("HEAD", VIEWER), ("OPTIONS", VIEWER), ("POST", EDITOR), ("DELETE", EDITOR)]
)
def test_looking_needs_a_viewer_and_changing_an_editor(method: str, role: str) -> None:
    assert required(view, method) == role


def test_a_view_can_say_otherwise() -> None:
    @needs(OWNER)
    def guarded() -> None: ...

    assert required(guarded, "GET") == OWNER


@pytest.mark.parametrize(
    ("role", "powers"),
    [(OWNER, {OWNER, EDITOR, VIEWER}), (EDITOR, {EDITOR, VIEWER}), (VIEWER, {VIEWER}), ("boss", set())],
)
def test_a_role_includes_those_below_it_and_an_unknown_one_nothing(role: str, powers: set[str]) -> None:
    assert {power for power in (OWNER, EDITOR, VIEWER) if may(User(role=role), power)} == powers
