"""What a deploy imports once it has work, begun while a server still answers what comes before: the time of a dozen
migrations that nobody waits for twice. On SQLite, nobody else is at work meanwhile: the thread that reads a history
would ask for Python's lock before each row, and the import would have it."""

from __future__ import annotations

import importlib
import threading
from collections.abc import Sequence
from contextlib import suppress

from service.migrate.files import MigrationFile

_NEEDED = ("service.migrate.applying.apply", "service.migrate.applying.contention")
_BY_PYTHON = "service.migrate.applying.adopted"  # and Peewee with it


def begin(pending: Sequence[MigrationFile]) -> None:
    """Who imports these next waits until they are there, and hears what is wrong with them."""
    names = _NEEDED if all(file.is_sql for file in pending) else (_BY_PYTHON, *_NEEDED)
    threading.Thread(target=_import, args=[names], name="migrate-warmup", daemon=True).start()


def _import(names: Sequence[str]) -> None:
    for name in names:
        with suppress(Exception):
            importlib.import_module(name)
