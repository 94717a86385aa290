"""Load and trouble: who sends messages, and who kills workers meanwhile."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import peewee as pw

from service.chat.receive import receive
from service.database import connection
from service.models import DONE, Chatbot, InboxItem
from tests.support.workers import Workers

WRITERS = 2


@dataclass
class Feeder:
    """Writes the messages of every conversation in their order, and the conversations in turn. What fails is sent
    again under the same number, as Telegram and browsers do."""

    chatbot: Chatbot
    messages: int
    conversations: int
    faults: int = 0
    _threads: list[threading.Thread] = field(default_factory=list)

    def begin(self) -> None:
        for part in range(WRITERS):
            self._threads.append(threading.Thread(target=self._write, args=(part,), daemon=True))
            self._threads[-1].start()

    def end(self) -> None:
        for thread in self._threads:
            thread.join()

    def _write(self, part: int) -> None:
        """Each conversation has one writer, or its order would be anybody's guess."""
        for number in range(self.messages):
            thread = number % self.conversations
            if thread % WRITERS == part:
                self._insist(thread, number // self.conversations)

    def _insist(self, thread: int, number: int) -> None:
        while True:
            try:
                receive(
                    self.chatbot,
                    channel="soak",
                    external_id=f"{thread}/{number}",
                    thread=str(thread),
                    content=f"{thread}/{number}",
                    metadata={},
                )
                return
            except (pw.OperationalError, pw.InterfaceError):
                self.faults += 1
                time.sleep(0.05)


@dataclass
class Siege:
    """Kills two workers and starts others, each time that another share of the messages is answered."""

    workers: Workers
    total: int
    rounds: int
    chance: random.Random
    restart: Callable[[], None]
    kills: int = 0

    def run(self) -> None:
        for number in range(1, self.rounds + 1):
            self._await(number * self.total // (self.rounds + 1))
            self._strike()
            if number == (self.rounds + 1) // 2:
                self.restart()
        self._await(self.total)

    def _strike(self) -> None:
        alive = [process for process in self.workers.processes if process.poll() is None]
        for victim in self.chance.sample(alive, 2):
            victim.kill()
            victim.wait()
            self.kills += 1
            self.workers.start(LEASE_SECONDS="1")

    def _await(self, wanted: int) -> None:
        """Fails when nothing has moved for a minute."""
        done, since = -1, time.monotonic()
        while done < wanted:
            seen = answered()
            if seen > done:
                done, since = seen, time.monotonic()
            assert time.monotonic() - since < 60, f"stuck at {done} of {self.total}: {self.workers.log[-2000:]}"
            time.sleep(0.1)


def answered() -> int:
    with connection():
        return int(InboxItem.select().where(InboxItem.state == DONE).count())
