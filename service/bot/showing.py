"""Shows an answer while it is being written to those who follow its thread."""

from __future__ import annotations

import contextvars
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from service.bot.lease import Lease
from service.chat import following
from service.chat.respond import Show
from service.chat.text import presentable
from service.faults import headline
from service.models import InboxItem

log = logging.getLogger(__name__)

# How often what is new is left for them; and how often it is tried when nobody is there any more.
EVERY, SELDOM = 0.2, 2.0
# Characters: each time all of it is written, so what is longer than anybody reads along is seen when it is stored.
LONGEST = 100_000


@contextmanager
def shown(lease: Lease[InboxItem]) -> Iterator[Show]:
    """What the block calls with all that is written so far. It costs the answer no time, and can't fail: the work is
    done in a thread of its own, and an answer that is written at once needs none of it. Who begins to follow in the
    middle is noticed when the lease is renewed."""
    pen = _Pen(lease)
    try:
        yield pen.show
    finally:
        pen.end()


class _Pen:
    def __init__(self, lease: Lease[InboxItem]) -> None:
        self._lease, self._text, self._left = lease, "", ""
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def show(self, text: str) -> None:
        self._text = text
        if self._thread is None and self._lease.item.is_followed:
            here = contextvars.copy_context()  # so that its lines, too, say what they are about
            name = f"show {self._lease}"
            self._thread = threading.Thread(target=here.run, args=(self._write,), name=name, daemon=True)
            self._thread.start()

    def end(self) -> None:
        """Nobody waits for the thread: what it may still leave is refused once the lease has ended."""
        self._over.set()

    def _write(self) -> None:
        pause = EVERY
        try:
            while not self._over.wait(pause):
                pause = EVERY if self._leave() else SELDOM
            if self._left or self._lease.item.attempts > 1:
                following.forget(self._lease.item)
        except Exception as error:
            log.warning("%s: what is written of it is not shown: %s", self._lease, headline(error))

    def _leave(self) -> bool:
        """False when nobody took it."""
        text = presentable(self._text)[:LONGEST]
        if text == self._left:
            return True
        is_taken = following.write(self._lease.item, text)
        self._left = text if is_taken else self._left
        return is_taken
