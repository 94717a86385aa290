"""The record of what people changed: who, what, when and from where. Written in the transaction of the change."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from service.models import AuditEvent, User

COMMAND_LINE = "the command line"


def record(
    user: User | None,
    action: str,
    subject: str,
    *,
    address: str | None = None,
    details: Mapping[str, Any] | None = None,
) -> None:
    """Note one change: the action as `noun.verb` ("chatbot.publish"), the subject as a person would name it
    ("Harbour desk, version 3"). Details hold names and numbers, never a secret and never what somebody said.

    Call it inside the transaction that makes the change, so that neither is there without the other."""
    AuditEvent.create(
        user=user,
        actor=user.email if user else COMMAND_LINE,
        action=action,
        subject=subject[:200],
        details=dict(details or {}),
        address=address[:45] if address else None,
    )
