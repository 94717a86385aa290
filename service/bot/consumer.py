"""The loop over one queue: take a row, work on it while its lease is renewed, and decide what a failure means."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Generic, NamedTuple

from service.bot.claim import claim, is_worthwhile
from service.bot.keeper import Keeper
from service.bot.lease import J, Lease, LeaseLost, Queue
from service.bot.metrics import Metrics
from service.bot.waker import Waker
from service.chat.providers import ProviderError
from service.database import connection
from service.faults import headline, is_outage
from service.log import about
from service.models.base import utc_now

log = logging.getLogger(__name__)


def _nothing() -> None:
    return


class GiveUp(Exception):
    """Another attempt would not help. The text is kept with the row."""


class Later(Exception):
    """Not now, and not by a fault of the work: the attempt doesn't count."""

    def __init__(self, delay: float) -> None:
        self.delay = delay
        super().__init__(f"Not before {delay:g} s have passed.")


class TookTooLong(Exception):
    """The attempt was given up, since people do not wait for ever."""

    def __init__(self, limit: float) -> None:
        super().__init__(f"It was not done within {limit:g} s (ANSWER_SECONDS).")


class Outcome(NamedTuple):
    """What came of a row: a few words for the log, and by name what machines count."""

    words: str
    facts: Mapping[str, object] = {}


@dataclass
class Consumer(Generic[J]):
    """`work` does what the row asks for, and finishes the lease; `bury` ends the lease of a row whose last attempt has
    failed. An attempt may take `limit` seconds. `beat` is called each time the loop goes round."""

    queue: Queue[J]
    holder: str
    seconds: float
    work: Callable[[Lease[J]], Outcome]
    bury: Callable[[Lease[J], str], None]
    waker: Waker
    stop: threading.Event
    limit: float = 300.0
    beat: Callable[[], None] = _nothing
    metrics: Metrics = field(default_factory=Metrics)
    in_hand: Lease[J] | None = field(default=None, init=False)
    _keeper: Keeper = field(default_factory=Keeper, init=False)

    def run(self) -> None:
        """Work until told to stop. Nothing that goes wrong with a row or the database ends the loop."""
        outage = Outage(self.queue.name, self.stop)
        while not self.stop.is_set():
            self.beat()
            try:
                self.drain()
                outage.end()
                self.waker.wait(self.stop)
            except Exception as error:
                outage.wait(error)

    def drain(self) -> None:
        """All that can be done at the moment, on one connection."""
        with connection():
            if not is_worthwhile(self.queue, self.holder):
                return
            while not self.stop.is_set() and (lease := self.step()):
                self.beat()
                if self.waker.is_told and not lease.item.has_others:
                    return  # of what has come since, it is told

    def step(self) -> Lease[J] | None:
        """Work on one row; None when there was none."""
        lease = claim(self.queue, self.holder, self.seconds)
        if lease is None:
            return None
        self.in_hand = lease
        if lease.item.attempts == 1:
            self.metrics.received(self.queue.name)
        facts = {f"{self.queue.name}_id": lease.item.id, "attempt": lease.item.attempts}
        try:
            with about(**facts), self._keeper.keeping(lease, self.limit) as is_late:
                self._attempt(lease, is_late)
        except LeaseLost as lost:
            self.metrics.lost(self.queue.name)
            log.warning("%s Its result is dropped.", lost)
        finally:
            self.in_hand = None
        return lease

    def _attempt(self, lease: Lease[J], is_late: threading.Event) -> None:
        began = time.monotonic()
        try:
            if lease.is_exhausted:
                raise GiveUp("Each worker that tried it stopped before it was done.")
            outcome = self.work(lease)
        except Later as later:
            lease.release(later.delay)
            self.metrics.failed(self.queue.name, "put_off")
            log.warning("%s: put off for %g s", lease, later.delay)
        except Exception as error:
            if is_late.is_set():
                self._failed(lease, TookTooLong(self.limit))
            elif is_outage(error) or isinstance(error, LeaseLost):
                raise
            else:
                self._failed(lease, error)
        else:
            self._done(lease, outcome, time.monotonic() - began)

    def _done(self, lease: Lease[J], outcome: Outcome, taken: float) -> None:
        waited = (utc_now() - lease.item.created_at).total_seconds()
        self.metrics.done(self.queue.name, waited, outcome.facts)
        log.info(
            "%s: %s, attempt %d, %.3f s, %.3f s after it came",
            *(lease, outcome.words, lease.item.attempts, taken, waited),
            extra={**outcome.facts, "duration_ms": round(taken * 1000), "waited_ms": round(waited * 1000)},
        )

    def _failed(self, lease: Lease[J], error: Exception) -> None:
        reason = str(error) if isinstance(error, GiveUp) else f"{type(error).__name__}: {error}"
        self.metrics.failed(self.queue.name, kind(error))
        if isinstance(error, GiveUp) or lease.is_last_attempt:
            self.bury(lease, reason)
            self.metrics.given_up(self.queue.name)
            log.error("%s: given up after attempt %d: %s", lease, lease.item.attempts, headline(error))
            return
        delay = self.queue.delay(lease.item.attempts)
        lease.retry(reason, delay)
        log.warning("%s: attempt %d failed, next in %g s: %s", lease, lease.item.attempts, delay, headline(error))


def kind(error: BaseException) -> str:
    """What an attempt failed of, in the few words that are counted apart."""
    cause = error.__cause__ if isinstance(error, GiveUp) else error
    if isinstance(cause, ProviderError):
        return "provider_temporary" if cause.is_temporary else "provider_permanent"
    if isinstance(error, TookTooLong):
        return "took_too_long"
    return "given_up" if isinstance(error, GiveUp) else "fault"


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
