"""The claim of a migration and what it does stand or fall together: where a migration ends the transaction that holds
both, its row would say that it is applied although only a part of it is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from service.migrate.applying.failure import Place
from service.migrate.connection import Connection, Statement, explain
from service.migrate.errors import Refused
from service.migrate.history import History
from service.migrate.tables import HISTORY

_HAS_ENDED = "it has ended the transaction, which is the runner's to end"


@contextmanager
def held(connection: Connection, database: Any, history: History, place: Place) -> Iterator[None]:
    """Around the statements of an atomic migration. Raises Refused, and takes the claim back, where they have ended the
    transaction, which a driver's connection lets them do; or where the claim is gone, as it is in a transaction that
    came after ours. A rollback's claim goes at its end, so that its transaction is told by its number."""
    begun = _number(connection, place)
    try:
        yield
    except Exception:
        _look(connection, history, place, has_failed=True)
        raise
    _look(connection, history, place, has_failed=False)
    if _number(connection, place) != begun:
        place.has_ended = True
        raise Refused(_HAS_ENDED)
    # What only adds leaves it alone, and is not worth the question.
    if place.command == "deploy" and not database.has_only_added and not history.has(place.file.name):
        raise Refused(f"its row in {HISTORY} is gone: it has deleted from that table, or ended the transaction")


@contextmanager
def taken_back(history: History, place: Place, mine: Statement) -> Iterator[None]:
    """Around the transaction of a claim: where that fails in one that came after it, as COMMIT AND CHAIN begins it, the
    claim stands, and is taken back. Raises Refused then; a signal is told by whoever hears it."""
    try:
        yield
    except BaseException as error:
        is_committed = False
        with suppress(Exception):  # the first error is the one that counts
            is_committed = history.take_back(mine)
        if is_committed:
            place.has_ended = True
            if isinstance(error, Exception):
                raise Refused(f"{_HAS_ENDED}; then came {type(error).__name__}: {explain(error)}") from error
        raise


def _look(connection: Connection, history: History, place: Place, *, has_failed: bool) -> None:
    if connection.is_in_transaction:
        return
    is_committed = place.command == "deploy" and history.forget(place.file.name)
    # After some errors SQLite ends a transaction itself, and the claim is gone with it.
    if is_committed or not (has_failed and connection.is_sqlite):
        place.has_ended = True
        raise Refused(_HAS_ENDED)


def _number(connection: Connection, place: Place) -> object:
    """Of the transaction that a rollback is in; on SQLite none follows another without a word of the runner's."""
    if place.command == "deploy" or connection.is_sqlite:
        return None
    return connection.execute("SELECT txid_current()").fetchone()[0]
