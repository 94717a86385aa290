"""How long to wait for others, and how often to try."""

from __future__ import annotations

from typing import NamedTuple


class Patience(NamedTuple):
    """Seconds that a statement may wait for a lock or run (0: as the server has it), and how many tries there are."""

    lock_timeout: float = 3.0
    statement_timeout: float = 0.0
    attempts: int = 10
