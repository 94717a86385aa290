"""Ctrl-C while PostgreSQL is at work: psycopg2 waits in C, where Python's own handler does not run, so that it would
come only after the statement, which may take hours."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from service.migrate.connection import Connection


@contextmanager
def heard(connection: Connection) -> Iterator[None]:
    """Within the block, Ctrl-C cancels the statement that is running; then Python's handler has its turn."""
    if connection.is_sqlite or threading.current_thread() is not threading.main_thread():
        yield
        return
    ear, mouth = os.pipe()
    os.set_blocking(mouth, False)
    before = signal.set_wakeup_fd(mouth, warn_on_full_buffer=False)
    listener = threading.Thread(target=_listen, args=(ear, connection), name="migrate-interrupt", daemon=True)
    listener.start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
        os.close(mouth)
        listener.join()
        os.close(ear)


def _listen(ear: int, connection: Connection) -> None:
    """Each signal is a byte, its number; nothing more comes when the other end is closed."""
    while number := os.read(ear, 1):
        if number[0] == signal.SIGINT:
            with suppress(Exception):  # the connection may be what is lost
                connection.raw.cancel()
