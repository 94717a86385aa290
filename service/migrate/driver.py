"""The driver of PostgreSQL, imported in two thirds of the time, and put to use while it waits. It imports next to
nothing else."""

from __future__ import annotations

import sys
from collections.abc import Iterator

TYPE_CHECKING = False  # typing is not imported to say so
if TYPE_CHECKING:
    from psycopg2.extensions import connection as Connection

# For each answer of the server; libpq's own limit counts for nothing in here.
_PATIENCE_MS = 2_000
# What is done before the next look whether the server has answered, which costs as much as a small piece of work.
_PIECES = 16


def bring_in() -> None:
    """Import psycopg2 as on a Python without OpenSSL. It looks for `ssl` only to tell libpq who prepares OpenSSL for
    several threads, which has needed no preparing since OpenSSL 1.1.0; encrypted connections are libpq's own. Whoever
    needs `ssl` later imports it as ever. Call while the process has one thread, or psycopg2 already."""
    if sys.modules.keys() & {"psycopg2", "ssl"}:
        return
    sys.modules["ssl"] = None  # type: ignore[assignment]  # what Python takes for: there is none
    try:
        import psycopg2  # noqa: F401
    finally:
        del sys.modules["ssl"]


class Meanwhile:
    """Within the block, psycopg2 does the pieces of `work` while it waits for a server that is being connected to or
    asked (psycopg2 manual, "Support for coroutine libraries"), and for no answer longer than two seconds."""

    def __init__(self, work: Iterator[object]) -> None:
        self._work = work

    def __enter__(self) -> None:
        from psycopg2 import extensions

        extensions.set_wait_callback(self._wait)

    def __exit__(self, *_error: object) -> None:
        from psycopg2 import extensions

        extensions.set_wait_callback(None)

    def _wait(self, connection: Connection) -> None:
        import select

        while awaited := connection.poll():
            socket = select.poll()
            socket.register(connection.fileno(), select.POLLIN if awaited == 1 else select.POLLOUT)
            while not socket.poll(0):
                if not self._works_on() and not socket.poll(_PATIENCE_MS):
                    raise TimeoutError

    def _works_on(self) -> bool:
        """Whether there is still something to do after a few pieces."""
        return all(next(self._work, self) is not self for _ in range(_PIECES))
