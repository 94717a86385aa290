"""What a command goes by where its words do not say otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

from service.migrate import glance

# Of options that only some commands offer.
SHARED: dict[str, Any] = {
    "json": False,
    "wait": None,
    "lock_wait": 600.0,
    "lock_timeout": 3.0,
    "statement_timeout": 0.0,
    "attempts": 10,
    "dry_run": False,
    "left": None,
}
_OWN: dict[str, dict[str, Any]] = {"deploy": {"out_of_order": False}, "status": {}}


def options(commands: Any, words: Sequence[str]) -> Any:
    """What argparse makes of words without anything special, in less time than it takes to import; None for others."""
    plain = glance.plain(words)
    if plain is None:
        return None
    command, given = plain
    places = {"database_url": given.get("--database-url"), "dir": given.get("--dir")}
    return SimpleNamespace(command=getattr(commands, command), **SHARED, **_OWN[command], **places)
