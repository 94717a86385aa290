"""How an answer learns that nobody waits for it any more."""

from __future__ import annotations

from collections.abc import Callable

IsCancelled = Callable[[], bool]


class Cancelled(Exception):
    """Nobody waits for this answer any more."""


def never() -> bool:
    return False
