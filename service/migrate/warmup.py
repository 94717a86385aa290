"""What a deploy imports once it has work, begun while the server still answers what comes before: the time of a dozen
migrations that nobody waits for twice."""

from __future__ import annotations

import importlib
import threading
from contextlib import suppress

_NEEDED = ("service.migrate.apply", "service.migrate.contention")


def begin() -> None:
    """Who imports these next waits until they are there, and hears what is wrong with them."""
    threading.Thread(target=_import, name="migrate-warmup", daemon=True).start()


def _import() -> None:
    for name in _NEEDED:
        with suppress(Exception):
            importlib.import_module(name)
