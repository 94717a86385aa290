"""Told to stop, by Ctrl-C or as `docker stop` does it, while a database is at work: its driver waits in C, where no
handler of Python's runs, so that it would come only after the statement, which may take hours."""

from __future__ import annotations

import os
import select
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from service.migrate.connection import Connection

_WORDS = {signal.SIGINT: "Interrupted", signal.SIGTERM: "Stopped by SIGTERM"}
_PAUSE_MS, _GRACE_MS = 50, 2_000
# The signals for which Python's handler has had its turn: from then on, what runs puts things in order.
_heeded: list[int] = []


class Stop(KeyboardInterrupt):
    """A signal came: like Ctrl-C, it is no error that anybody should catch on the way."""

    def __init__(self, number: int) -> None:
        self.signal = signal.Signals(number)
        super().__init__(f"{self.signal.name} came")

    @property
    def words(self) -> str:
        return _WORDS[self.signal]

    @property
    def exit_code(self) -> int:
        """As a shell has it of a process that a signal ended."""
        return 128 + self.signal


@contextmanager
def raised() -> Iterator[None]:
    """Within the block the first signal raises Stop; with the second the process ends at once. One that is ignored, as
    a shell has it for what runs in its background, stays so."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in _WORDS}
    heeded = [number for number, handler in before.items() if handler is not signal.SIG_IGN]

    def stop(number: int, _frame: FrameType | None) -> None:
        _heeded.append(number)
        for each in heeded:
            signal.signal(each, signal.SIG_DFL)
        raise Stop(number)

    for number in heeded:
        signal.signal(number, stop)
    try:
        yield
    finally:
        _heeded.clear()
        for number in heeded:
            signal.signal(number, before[number])


@contextmanager
def heard(connection: Connection) -> Iterator[None]:
    """Within the block a signal ends the statement that is running; then Python's handler has its turn. What that
    raises is lost where the signal came within something that tells nobody, as a finalizer: then it is raised at the
    end."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    ear, mouth = os.pipe()
    os.set_blocking(mouth, False)
    before = signal.set_wakeup_fd(mouth, warn_on_full_buffer=False)
    listener = threading.Thread(target=_listen, args=(ear, connection), name="migrate-interrupt", daemon=True)
    listener.start()
    instead: Exception | None = None
    try:
        yield
    except Exception as error:
        if not _heeded:
            raise
        instead = error
    finally:
        signal.set_wakeup_fd(before)
        os.close(mouth)
        listener.join()
        os.close(ear)
    if _heeded:
        raise Stop(_heeded[0]) from instead


def _listen(ear: int, connection: Connection) -> None:
    """Each signal is a byte, its number; nothing more comes when the other end is closed."""
    more = select.poll()
    more.register(ear, select.POLLIN)
    while number := os.read(ear, 1):
        is_over = number[0] not in _WORDS or (_heeded and more.poll(_GRACE_MS))
        while not is_over:
            with suppress(Exception):  # the connection may be what is lost
                connection.raw.interrupt() if connection.is_sqlite else connection.raw.cancel()
            # A statement that was only about to run goes on all the same, and is ended by the next; and so is what goes
            # on because what the handler raised was lost.
            is_over = more.poll(_PAUSE_MS) or (_heeded and more.poll(_GRACE_MS))
