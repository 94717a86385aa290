"""The claim of a migration and what it does stand or fall together: where a migration ends the transaction that holds
both, its row would say that it is applied although only a part of it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import partial
from typing import Any

from service.migrate.applying.failure import Place
from service.migrate.applying.recorded import HAS_ENDED
from service.migrate.connection import Connection, Statement, explain
from service.migrate.errors import Overtaken, Refused
from service.migrate.history import History
from service.migrate.progress import Progress
from service.migrate.tables import HISTORY

Transaction = AbstractContextManager[Any]


@contextmanager
def held(connection: Connection, database: Any, history: History, place: Place) -> Iterator[None]:
    """Around the statements of an atomic migration. Raises Refused, and takes the claim back, where they have ended the
    transaction, which a driver's connection lets them do; or where the claim is gone, as it is in a transaction that
    came after ours. A rollback's claim goes at its end, so that its transaction is told by its number."""
    begun = _number(connection, place)
    try:
        with database.held():
            yield
    except Exception:
        _look(connection, history, place, has_failed=True)
        raise
    _look(connection, history, place, has_failed=False)
    if _number(connection, place) != begun:
        place.has_ended = True
        raise Refused(HAS_ENDED)
    # What only adds leaves it alone, and is not worth the question.
    if place.command == "deploy" and not database.has_only_added and not history.has(place.file.name):
        raise Refused(f"its row in {HISTORY} is gone: it has deleted from that table, or ended the transaction")


@contextmanager
def taken_back(connection: Connection, history: History, place: Place, mine: Statement) -> Iterator[None]:
    """Around the transaction of a claim: where that fails in one that came after it, as COMMIT AND CHAIN begins it, the
    claim stands, and is taken back. Raises Refused then; a signal is told by whoever hears it."""
    with _looked_at(connection, place, partial(history.take_back, mine)):
        yield


@contextmanager
def undone(connection: Connection, progress: Progress, place: Place, begin: Transaction) -> Iterator[None]:
    """The transaction of a rollback, which begins with the mark of the row that it removes: where that is left behind,
    it stays. Raises Overtaken where somebody else has removed the row, and Refused as above."""
    with _looked_at(connection, place, progress.is_half_undone):
        try:
            with begin as marked:
                if marked.rowcount != 1:
                    raise Overtaken
                yield
        except BaseException:
            if place.has_ended:
                connection.execute(*progress.undoing())
            raise


@contextmanager
def stepped(
    connection: Connection, database: Any, progress: Progress, place: Place, number: int, begin: Transaction, sql: str
) -> Iterator[None]:
    """The transaction of a step, with its entry in the journal. A step in Python could end it, and is first entered as
    one that has begun, which others see only where it did. Raises Refused where that is so, and the step has failed."""
    with _looked_at(connection, place, partial(progress.stays_begun, number)), begin:
        # First: whoever has taken over waits here, or stops us.
        progress.step(number, place.total) if sql else progress.mark(number, True)
        with database.held():
            yield
        if not sql:
            progress.step(number, place.total)


@contextmanager
def _looked_at(connection: Connection, place: Place, is_left: Callable[[], bool]) -> Iterator[None]:
    """Around a transaction: what is left of it when it has failed, the migration has committed. A signal may have come
    before its ROLLBACK, and then it is open still."""
    try:
        yield
    except BaseException as error:
        if _has_been_left(connection, place, is_left):
            place.has_ended = True
            if isinstance(error, Exception):
                raise Refused(f"{HAS_ENDED}; then came {type(error).__name__}: {explain(error)}") from error
        raise


def _has_been_left(connection: Connection, place: Place, is_left: Callable[[], bool]) -> bool:
    for _ in range(2):  # a signal also ends the statement that comes after it
        with suppress(Exception):  # the first error is the one that counts
            connection.roll_back()
            return not place.has_ended and is_left()
    return False


def _look(connection: Connection, history: History, place: Place, *, has_failed: bool) -> None:
    if connection.is_in_transaction:
        return
    is_committed = place.command == "deploy" and history.forget(place.file.name)
    # After some errors SQLite ends a transaction itself, and the claim is gone with it.
    if is_committed or not (has_failed and connection.is_sqlite):
        place.has_ended = True
        raise Refused(HAS_ENDED)


def _number(connection: Connection, place: Place) -> object:
    """Of the transaction that a rollback is in; on SQLite none follows another without a word of the runner's."""
    if place.command == "deploy" or connection.is_sqlite:
        return None
    return connection.execute("SELECT txid_current()").fetchone()[0]
