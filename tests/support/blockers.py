"""Others who are at work in the database while a deploy is."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from service.migrate import connection
from service.migrate.session import Event, Outcome, Target
from service.url import DatabaseUrl
from tests.support.processes import HANGS, eventually


@contextmanager
def in_the_way(url: DatabaseUrl, table: str = "a") -> Iterator[None]:
    """A session that has changed a row and not committed: on both engines nobody else may change the table."""
    other = connection.connect(url, application="reporting")
    other.execute("BEGIN IMMEDIATE" if url.is_sqlite else "BEGIN")
    other.execute(f"UPDATE {table} SET id = id WHERE 'a secret word' <> ''")
    try:
        yield
    finally:
        other.close()


# A wait for a lock, and a look of the deploy's own at it, made after it had begun.
_LOOKS = """
SELECT w.query_start FROM pg_stat_activity w JOIN pg_stat_activity d USING (datname)
WHERE datname = current_database() AND d.wait_event_type = 'Lock' AND w.application_name LIKE 'slipway-migrate-watch%'
AND w.query LIKE '%pg_blocking_pids%' AND w.query_start > d.query_start
"""


class Meanwhile:
    """Somebody who comes into the way when the first migration is about to begin, and leaves once the deploy has
    noticed that it waits."""

    def __init__(self, url: DatabaseUrl, table: str = "a") -> None:
        self._url, self._stay = url, in_the_way(url, table)
        self._is_in_the_way, self._is_waited_for = threading.Event(), threading.Event()
        self._leaving = threading.Thread(target=self._leave)

    def begin(self) -> None:
        self._stay.__enter__()
        self._is_in_the_way.set()
        self._leaving.start()

    def tell(self, event: Event) -> None:
        if event.kind == "starting":
            self.begin()

    def hear(self, statement: str) -> None:
        """SQLite tells nobody who waits; what is seen is who begins to."""
        if self._is_in_the_way.is_set() and statement.startswith(("BEGIN", "INSERT")):
            self._is_waited_for.set()

    def _leave(self) -> None:
        try:
            if self._url.is_sqlite:
                assert self._is_waited_for.wait(HANGS)
                time.sleep(0.2)  # a shorter one would be none
            else:
                self._await_two_looks()
        finally:
            self._stay.__exit__(None, None, None)

    def _await_two_looks(self) -> None:
        """What the first has seen is counted before the second is made."""
        looks: set[object] = set()
        database = connection.connect(self._url)
        while len(looks) < 2:
            looks.update(eventually(lambda: set(database.execute(_LOOKS).fetchall()) - looks))
        database.close()


@contextmanager
def meanwhile(url: DatabaseUrl, table: str = "a") -> Iterator[Meanwhile]:
    """For deploys that are begun in the block."""
    blocker, opened = Meanwhile(url, table), connection._open_sqlite

    def heard(path: str, create: bool) -> Any:
        raw = opened(path, create)
        raw.set_trace_callback(blocker.hear)
        return raw

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(connection, "_open_sqlite", heard)
        yield blocker


class InBackground:
    """A use case of the runner in a thread, with what it tells and how it ends."""

    def __init__(self, work: Callable[[Target], Outcome], aim: Target) -> None:
        self.told: list[Event] = []
        self._outcome: list[Outcome] = []
        self._thread = threading.Thread(target=self._run, args=(work, aim._replace(tell=self.told.append)))
        self._thread.start()

    def _run(self, work: Callable[[Target], Outcome], aim: Target) -> None:
        self._outcome.append(work(aim))

    def has_told(self, kind: str) -> bool:
        return any(event.kind == kind for event in self.told)

    def outcome(self) -> Outcome:
        self._thread.join(HANGS)
        return self._outcome[0]
