"""The worker process: a thread for each loop, and an orderly end."""

from __future__ import annotations

import logging
import os
import queue
import secrets
import signal
import socket
import threading
import time
from collections.abc import Callable
from functools import partial
from types import FrameType
from typing import Any

from service.bot import jobs
from service.bot.consumer import Consumer, Outcome
from service.bot.health import Health
from service.bot.inbox import INBOX, answer, apologise_and_bury
from service.bot.jobs.schedule import Schedule
from service.bot.lease import J, Lease, LeaseLost, Queue
from service.bot.metrics import Metrics
from service.bot.outbox import bury, deliver, outbox
from service.bot.probe import Probe
from service.bot.waker import waker
from service.chat import wake
from service.chat.outside import Outside
from service.chat.providers import Providers
from service.config import Config
from service.faults import headline

log = logging.getLogger(__name__)

# Container engines kill after 10 s: so long may a message take to be finished, and so long its return to the queue.
DRAIN_SECONDS, GIVE_BACK_SECONDS = 8.0, 1.0
GRACE_SECONDS = 60.0


def new_name() -> str:
    """What this worker is called in leases and in the log. Process numbers repeat in containers; the random part makes
    sure that no two workers share a name."""
    return f"{socket.gethostname()[:60]}:{os.getpid()}:{secrets.token_hex(4)}"


class Worker:
    """`grace` are the seconds that a loop may take beyond what its work may, before it counts as stuck."""

    def __init__(
        self,
        name: str,
        config: Config,
        providers: Providers,
        outside: Outside,
        drain_seconds: float = DRAIN_SECONDS,
        grace: float = GRACE_SECONDS,
    ) -> None:
        self._holder, self._config, self._drain_seconds, self._grace = name, config, drain_seconds, grace
        self._answer = partial(answer, providers=providers, outside=outside)
        self._stop = threading.Event()
        self._consumers: list[Consumer[Any]] = []
        self._health, self._metrics = Health(), Metrics()

    def run(self) -> int:
        """Serve until TERM or INT, then finish what is in hand. Returns the exit code."""
        asked: queue.SimpleQueue[int] = queue.SimpleQueue()  # may be filled from within a signal handler

        def ask(number: int, _frame: FrameType | None) -> None:
            asked.put(number)

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, ask)
        probe = Probe(self._health, self._metrics)
        probe.open(self._config.bind_host, self._config.worker_port)
        threads = [threading.Thread(target=loop, name=name, daemon=True) for name, loop in self._loops().items()]
        for thread in threads:
            thread.start()
        code = _watch(threads, asked, self._health)
        self._drain(threads)
        probe.close()
        return code

    def _loops(self) -> dict[str, Callable[[], None]]:
        beat = self._health.watch("jobs", jobs.LONGEST_STEP + self._grace)
        schedule = Schedule(jobs.wanted(self._config.retention_days), self._holder, self._stop, beat)
        inbox = self._consumer(INBOX, self._answer, apologise_and_bury, wake.INBOX)
        loops = {"inbox": inbox.run, "jobs": schedule.run}
        if not self._config.telegram_bot_token:
            log.info("No TELEGRAM_BOT_TOKEN: serving the panel's channel only.")
            return loops
        log.info("Serving the panel's channel and Telegram.")
        return loops | self._telegram()

    def _telegram(self) -> dict[str, Callable[[], None]]:
        from service.bot import telegram  # half a second, only if used
        from service.telegram.client import CHANNEL

        beat = self._health.watch("telegram", self._config.answer_seconds + self._grace)
        receiver = telegram.receiver(self._config, self._holder, self._stop, beat)
        work = partial(deliver, sender=telegram.Delivery(self._config))
        sender = self._consumer(outbox(CHANNEL), work, bury, wake.OUTBOX)
        typist = telegram.typist(self._config, lambda: [other.in_hand for other in self._consumers], self._stop)
        return {"outbox": sender.run, "telegram": receiver.run, "typing": typist.run}

    def _consumer(
        self,
        queue: Queue[J],
        work: Callable[[Lease[J]], Outcome],
        bury: Callable[[Lease[J], str], None],
        channel: str,
    ) -> Consumer[J]:
        limit = self._config.answer_seconds
        consumer = Consumer(
            queue,
            self._holder,
            self._config.lease_seconds,
            work,
            bury,
            waker(self._config.database_url, channel),
            self._stop,
            limit,
            self._health.watch(queue.name, limit + self._grace),
            self._metrics,
        )
        self._consumers.append(consumer)
        return consumer

    def _drain(self, threads: list[threading.Thread]) -> None:
        """Let each loop finish the row in its hand; what takes too long goes back, for another worker to take."""
        self._stop.set()
        deadline = time.monotonic() + self._drain_seconds
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        for consumer in self._consumers:
            helper = threading.Thread(target=_give_back, args=(consumer,), daemon=True)
            helper.start()
            helper.join(GIVE_BACK_SECONDS)
        log.info("Stopped.")


def _watch(threads: list[threading.Thread], asked: queue.SimpleQueue[int], health: Health) -> int:
    """Until a signal comes: 0. A loop that ended by itself or is stuck is a fault, and a restart is the cure: 1."""
    while True:
        try:
            log.info("%s: finishing what is in hand.", signal.Signals(asked.get(timeout=1.0)).name)
            return 0
        except queue.Empty:
            ended = [f"The loop for {thread.name} ended." for thread in threads if not thread.is_alive()]
            if faults := ended + [str(stuck) for stuck in health.stuck()]:
                log.error("%s Stopping, so that the worker is started anew.", " ".join(faults))
                return 1


def _give_back(consumer: Consumer[Any]) -> None:
    lease = consumer.in_hand
    if lease is None or lease.is_over.is_set():  # what nobody could stop counts as an attempt
        return
    try:
        lease.release()
        log.warning("%s: not finished in time; given back", lease)
    except LeaseLost:
        return
    except Exception as error:
        log.warning("%s: not given back, its lease will run out: %s", lease, headline(error))
