"""Others who are at work in the database while a deploy is."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from service.migrate.connection import connect
from service.migrate.session import Event, Outcome, Target
from service.url import DatabaseUrl


@contextmanager
def in_the_way(url: DatabaseUrl, table: str = "a") -> Iterator[None]:
    """A session that has changed a row and not committed: on both engines nobody else may change the table."""
    other = connect(url, application="reporting")
    other.execute("BEGIN IMMEDIATE" if url.is_sqlite else "BEGIN")
    other.execute(f"UPDATE {table} SET id = id WHERE 'a secret word' <> ''")
    try:
        yield
    finally:
        other.close()


class Meanwhile:
    """Somebody who comes into the way when the first migration is about to begin, and leaves after a while."""

    def __init__(self, url: DatabaseUrl, table: str = "a", seconds: float = 1.5) -> None:
        self._stay = in_the_way(url, table)
        self._timer = threading.Timer(seconds, self._stay.__exit__, (None, None, None))

    def begin(self) -> None:
        self._stay.__enter__()
        self._timer.start()

    def tell(self, event: Event) -> None:
        if event.kind == "starting":
            self.begin()


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
        self._thread.join(timeout=30)
        return self._outcome[0]
