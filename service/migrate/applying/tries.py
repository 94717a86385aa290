"""Work that somebody else's lock stops is done again later, a limited number of times."""

from __future__ import annotations

import time
from collections.abc import Callable

from service.migrate.applying import contention
from service.migrate.applying.contention import OnBlocked, Watch
from service.migrate.applying.failure import Place
from service.migrate.connection import Connection
from service.migrate.patience import Patience
from service.migrate.progress import Progress


class Tries:
    """How often, and who hears of it: `on_blocked` before each new try."""

    def __init__(self, connection: Connection, patience: Patience, watch: Watch, on_blocked: OnBlocked) -> None:
        self._connection, self._patience, self._watch, self._on_blocked = connection, patience, watch, on_blocked

    def make(self, progress: Progress, place: Place, work: Callable[[], None], renew: Callable[[], None]) -> None:
        """`renew` comes before each try but the first. The place learns who blocked the last one."""
        attempts = self._patience.attempts
        for attempt in range(1, attempts + 1):
            began = time.monotonic()
            try:
                with self._watch.looking(progress.toll):
                    work()
                return
            except Exception as error:
                if place.has_ended or not contention.is_contention(error):
                    raise  # what it has committed itself would be done twice
                progress.toll.give_way(time.monotonic() - began, self._watch.blockers)
                if attempt == attempts:
                    raise
            finally:
                place.blockers = list(self._watch.blockers.values())
            self._on_blocked(progress.migration, attempt + 1, attempts, place.blockers)
            self._pause(progress, attempt + 1)
            renew()

    def _pause(self, progress: Progress, attempt: int) -> None:
        """SQLite's journal learns of it at the end: the lock that was waited for is the one that a note would need."""
        if not self._connection.is_sqlite:
            progress.keep_waits()
        seconds = contention.pause_before(attempt)
        time.sleep(seconds)
        progress.toll.add(seconds, {})
