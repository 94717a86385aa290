"""The claim of a migration and what it does stand or fall together: where a migration ends the transaction that holds
both, its row would say that it is applied although only a part of it is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from service.migrate.applying.failure import Place
from service.migrate.connection import Connection
from service.migrate.errors import Refused
from service.migrate.history import History


@contextmanager
def held(connection: Connection, history: History, place: Place) -> Iterator[None]:
    """Around the statements of an atomic migration. Raises Refused, and takes the claim back, where they have ended the
    transaction, which a driver's connection lets them do."""
    try:
        yield
    except Exception:
        _look(connection, history, place, has_failed=True)
        raise
    _look(connection, history, place, has_failed=False)


def _look(connection: Connection, history: History, place: Place, *, has_failed: bool) -> None:
    if connection.is_in_transaction:
        return
    is_committed = place.command == "deploy" and history.forget(place.file.name)
    # After some errors SQLite ends a transaction itself, and the claim is gone with it.
    if is_committed or not (has_failed and connection.is_sqlite):
        place.has_ended = True
        raise Refused("it has ended the transaction, which is the runner's to end")
