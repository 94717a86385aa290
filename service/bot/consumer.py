"""The loop over one queue: take a row, work on it while its lease is renewed, and decide what a failure means."""

from __future__ import annotations

import contextvars
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Generic, NamedTuple

from service.bot.lease import J, Lease, LeaseLost, Queue, claim
from service.bot.waker import Waker
from service.database import connection
from service.faults import headline, is_outage
from service.log import about
from service.models.base import utc_now

log = logging.getLogger(__name__)


class GiveUp(Exception):
    """Another attempt would not help. The text is kept with the row."""


class Later(Exception):
    """Not now, and not by a fault of the work: the attempt doesn't count."""

    def __init__(self, delay: float) -> None:
        self.delay = delay
        super().__init__(f"Not before {delay:g} s have passed.")


class Outcome(NamedTuple):
    """What came of a row: a few words for the log, and by name what machines count."""

    words: str
    facts: Mapping[str, object] = {}


@dataclass
class Consumer(Generic[J]):
    """`work` does what the row asks for, and finishes the lease; `bury` ends the lease of a row whose last attempt has
    failed."""

    queue: Queue[J]
    holder: str
    seconds: float
    work: Callable[[Lease[J]], Outcome]
    bury: Callable[[Lease[J], str], None]
    waker: Waker
    stop: threading.Event
    in_hand: Lease[J] | None = field(default=None, init=False)

    def run(self) -> None:
        """Work until told to stop. Nothing that goes wrong with a row or the database ends the loop."""
        outage = Outage(self.queue.name, self.stop)
        while not self.stop.is_set():
            try:
                self.drain()
                outage.end()
                self.waker.wait(self.stop)
            except Exception as error:
                outage.wait(error)

    def drain(self) -> None:
        """All that can be done at the moment, on one connection."""
        with connection():
            while not self.stop.is_set() and self.step():
                pass

    def step(self) -> bool:
        """Work on one row; False when there was none."""
        lease = claim(self.queue, self.holder, self.seconds)
        if lease is None:
            return False
        self.in_hand = lease
        try:
            with about(**{f"{self.queue.name}_id": lease.item.id}, attempt=lease.item.attempts), renewing(lease):
                self._attempt(lease)
        except LeaseLost as lost:
            log.warning("%s Its result is dropped.", lost)
        finally:
            self.in_hand = None
        return True

    def _attempt(self, lease: Lease[J]) -> None:
        began = time.monotonic()
        waited = (utc_now() - lease.item.created_at).total_seconds()
        try:
            if lease.is_exhausted:
                raise GiveUp("Each worker that tried it stopped before it was done.")
            outcome = self.work(lease)
            taken = time.monotonic() - began
            log.info(
                "%s: %s, attempt %d, %.3f s, %.3f s after it came",
                *(lease, outcome.words, lease.item.attempts, taken, waited),
                extra={**outcome.facts, "duration_ms": round(taken * 1000), "waited_ms": round(waited * 1000)},
            )
        except Later as later:
            lease.release(later.delay)
            log.warning("%s: put off for %g s", lease, later.delay)
        except Exception as error:
            if is_outage(error) or isinstance(error, LeaseLost):
                raise
            self._failed(lease, error)

    def _failed(self, lease: Lease[J], error: Exception) -> None:
        reason = str(error) if isinstance(error, GiveUp) else f"{type(error).__name__}: {error}"
        if isinstance(error, GiveUp) or lease.is_last_attempt:
            self.bury(lease, reason)
            log.error("%s: given up after attempt %d: %s", lease, lease.item.attempts, headline(error))
            return
        delay = self.queue.delay(lease.item.attempts)
        lease.retry(reason, delay)
        log.warning("%s: attempt %d failed, next in %g s: %s", lease, lease.item.attempts, delay, headline(error))


@contextmanager
def renewing(lease: Lease[J]) -> Iterator[None]:
    """Keep the lease while the block runs, however long that takes."""
    done = threading.Event()
    here = contextvars.copy_context()  # so that its lines, too, say what they are about
    threading.Thread(target=here.run, args=(_renew, lease, done), name=f"renew {lease}", daemon=True).start()
    try:
        yield
    finally:
        done.set()


def _renew(lease: Lease[J], done: threading.Event) -> None:
    while not done.wait(lease.seconds / 3):
        try:
            lease.renew()
        except Exception as error:
            if not done.is_set():
                log.warning("%s: its lease was not renewed: %s", lease, headline(error))


class Outage:
    """One line when it begins, one when it ends, and longer and longer waits between."""

    def __init__(self, what: str, stop: threading.Event) -> None:
        self._what, self._stop = what, stop
        self._began: float | None = None
        self._delay = 0.0

    def wait(self, error: BaseException, *, hint: str = "", at_least: float = 0.0) -> None:
        """Tell of the error once, with a hint on what to do about it, and wait before the next attempt."""
        if self._began is None:
            self._began = time.monotonic()
            log.error("%s: %s; trying again until it works", self._what, hint or f"stopped by {headline(error)}")
        self._delay = min(max(self._delay * 2, 0.1), 5.0)
        self._stop.wait(max(self._delay, at_least))

    def end(self) -> None:
        if self._began is not None:
            log.info("%s: works again after %.1f s", self._what, time.monotonic() - self._began)
        self._began, self._delay = None, 0.0
