"""Keeps the lease of the row in hand, from a thread of its own."""

from __future__ import annotations

import contextvars
import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from service.bot.lease import Lease
from service.faults import headline

log = logging.getLogger(__name__)


@dataclass(eq=False)
class _Hand:
    """A lease that is to be kept for as long as the work on it takes, but no longer than `limit` seconds."""

    lease: Lease[Any]
    limit: float
    is_late: threading.Event = field(default_factory=threading.Event)
    is_empty: bool = False
    # So that its lines, too, say what they are about.
    _here: contextvars.Context = field(default_factory=contextvars.copy_context)

    def __post_init__(self) -> None:
        self._end = time.monotonic() + self.limit
        self._due = time.monotonic() + self.lease.seconds / 3

    @property
    def pause(self) -> float:
        """No lease of this kind needs a look sooner after it was taken."""
        return min(self.lease.seconds / 3, self.limit)

    def look(self) -> float:
        """Do what is due. Returns the seconds until the next look."""
        now = time.monotonic()
        if now >= self._end:
            if not self.is_late.is_set():
                self._here.run(self._give_up)
            return self.pause
        if now >= self._due:
            self._due = now + self.lease.seconds / 3
            self._here.run(self._renew)
        return max(0.0, min(self._due, self._end) - time.monotonic())

    def _give_up(self) -> None:
        log.warning("%s: not done after %g s (ANSWER_SECONDS); the attempt is given up", self.lease, self.limit)
        self.is_late.set()
        self.lease.is_over.set()

    def _renew(self) -> None:
        try:
            self.lease.renew()
        except Exception as error:
            if not self.is_empty:
                log.warning("%s: its lease was not renewed: %s", self.lease, headline(error))


class Keeper:
    """Of most rows the thread never hears: it sleeps until a lease could need it, and ends when it then finds nothing
    in hand. To start a thread for each row would take longer than much of the work on it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._hand: _Hand | None = None
        self._is_watching = False

    @contextmanager
    def keeping(self, lease: Lease[Any], limit: float) -> Iterator[threading.Event]:
        """Keep the lease while the block runs, but no longer than `limit` seconds: then the event that the block gets
        is set, and so is the lease's. A block that takes no notice loses the row to somebody else when its lease runs
        out."""
        hand = _Hand(lease, limit)
        self._take(hand)
        try:
            yield hand.is_late
        finally:
            hand.is_empty, self._hand = True, None

    def _take(self, hand: _Hand) -> None:
        with self._lock:
            self._hand = hand
            if not self._is_watching:
                self._is_watching = True
                name = f"keep {hand.lease.queue.name}"
                threading.Thread(target=self._watch, args=(hand.pause,), name=name, daemon=True).start()

    def _watch(self, pause: float) -> None:
        time.sleep(pause)
        while hand := self._in_hand():
            time.sleep(hand.look())

    def _in_hand(self) -> _Hand | None:
        with self._lock:
            self._is_watching = self._hand is not None
            return self._hand
