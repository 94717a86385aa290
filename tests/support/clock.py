"""Time that passes only when a test says so, in the place of the module `time`: a machine that is busy, or slow, has
all that it needs."""

from __future__ import annotations

import threading

from tests.support.processes import HANGS


class Clock:
    """Goes on by nothing but what is slept."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class StoppedClock(Clock):
    """Goes on when a test says so. One thread may sleep by it, until then."""

    def __init__(self) -> None:
        super().__init__()
        self._changed = threading.Condition()
        self._wakes_at = self.now
        self._is_over = False

    def sleep(self, seconds: float) -> None:
        with self._changed:
            self._wakes_at = self.now + seconds
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._is_over or self._wakes_at <= self.now, 10 * HANGS)

    def go_on(self, seconds: float) -> None:
        """Once the thread sleeps: whatever it had to do before is done then."""
        with self._changed:
            assert self._changed.wait_for(lambda: self._wakes_at > self.now, HANGS), "nobody sleeps"
            self.now += seconds
            self._changed.notify_all()

    def end(self) -> None:
        """Nobody sleeps by it any more."""
        with self._changed:
            self._is_over = True
            self._changed.notify_all()
