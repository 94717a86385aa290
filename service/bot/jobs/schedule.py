"""When a job is done, and by whom: every worker asks for it now and then, and whoever gets the duty does it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from service.bot.consumer import Outage
from service.bot.duty import holding
from service.faults import headline, is_outage

log = logging.getLogger(__name__)

HELD_SECONDS = 30.0
LOOK_SECONDS, BREATH_SECONDS = 1.0, 0.02

GoOn = Callable[[], bool]


@dataclass(frozen=True)
class Job:
    """`run` gets the moment at which the job was last done, if ever, and a question to ask between its steps: whether
    to go on. It returns a few words for the log, or none when there was nothing to do."""

    name: str
    every: float
    run: Callable[[datetime | None, GoOn], str]


def due(jobs: Sequence[Job], asked: Mapping[str, float], now: float) -> list[Job]:
    """Those for which this worker has not asked during the last quarter of their interval: so a job is done at most
    that much late, and many workers ask seldom."""
    return [job for job in jobs if now - asked.get(job.name, float("-inf")) >= job.every / 4]


class Schedule:
    """`beat` is called whenever the schedule goes round or a job goes on."""

    def __init__(self, jobs: Sequence[Job], holder: str, stop: threading.Event, beat: Callable[[], object]) -> None:
        self._jobs, self._holder, self._stop, self._beat = jobs, holder, stop, beat
        self._asked: dict[str, float] = {}

    def run(self) -> None:
        """Do what is due until told to stop."""
        outage = Outage("jobs", self._stop)
        while not self._stop.is_set():
            self._beat()
            try:
                self.round()
                outage.end()
                self._stop.wait(LOOK_SECONDS)
            except Exception as error:
                outage.wait(error)

    def round(self) -> None:
        for job in due(self._jobs, self._asked, time.monotonic()):
            if not self._stop.is_set():
                self._ask_for(job)
                self._asked[job.name] = time.monotonic()

    def _ask_for(self, job: Job) -> None:
        with holding(job.name, self._holder, HELD_SECONDS, every=job.every) as held:
            if held is None:
                return

            def go_on() -> bool:
                """Also a breath, in which others reach the database."""
                self._beat()
                return not self._stop.wait(BREATH_SECONDS) and held.is_mine

            try:
                outcome = job.run(held.done_at, go_on)
            except Exception as error:
                if is_outage(error):
                    raise
                log.error("Job %s failed, and is tried again: %s", job.name, headline(error))
                return
            # What was broken off is still due, for whoever comes next.
            held.is_done = go_on()
        if outcome:
            log.info("Job %s: %s", job.name, outcome)
