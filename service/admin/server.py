"""How gunicorn serves the panel: what it reads as its configuration, besides what the entrypoint says."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from typing import Any

from gunicorn.workers.gthread import TConn, ThreadWorker

from service.api.clients import IS_STOPPING

worker_class = "service.admin.server.FairWorker"
# Filters stand in the address, where a letter outside of ASCII takes six bytes or more; this is gunicorn's own limit.
limit_request_line = 8190

# One that computes while the other waits for the database. More of them would only take turns.
AT_ONCE = 2
# Seconds, after which a connection is one that waits for something else: a stream, an export, a model, a slow client.
BRIEF = 0.2
# Seconds between two looks whether one of those in hand has become such a one.
LOOK_AGAIN = 0.05


def when_ready(_server: Any) -> None:
    """Before the processes are forked: what has been loaded stays as long as they do, and is never garbage. To look
    through all of it again and again takes a tenth of the processor's time, and holds up every request meanwhile."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


def post_worker_init(worker: Any) -> None:
    """Let an answer that takes its time see that the worker is to stop. Else each stop of the panel would wait for
    whoever follows a transcript, until they are cut off."""
    serve = worker.wsgi

    def wsgi(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        environ[IS_STOPPING] = lambda: not worker.alive
        answer: Iterable[bytes] = serve(environ, start_response)
        return answer

    worker.wsgi = wsgi


def has_time(begun: Iterable[float], now: float) -> bool:
    """Whether a process with connections in hand since then, in seconds, takes another one."""
    return sum(now - since < BRIEF for since in begun) < AT_ONCE


class FairWorker(ThreadWorker):  # type: ignore[misc]  # gunicorn ships no types
    """Leaves a new connection to the process that has time for it, and else in the queue of the socket, where the first
    to come is the first to be served. gunicorn's own takes in whatever comes: then one process has six of eight, and
    each of them waits for the five others."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._begun: dict[TConn, float] = {}

    def set_accept_enabled(self, enabled: bool) -> None:
        super().set_accept_enabled(enabled and has_time(self._begun.values(), time.monotonic()))

    def enqueue_req(self, conn: TConn) -> None:
        self._begun[conn] = time.monotonic()
        super().enqueue_req(conn)
        self.set_accept_enabled(self._accepting)

    def handle(self, conn: TConn) -> Any:
        """To close well takes until the client has closed too, and up to two seconds (RFC 9112, 9.6). gunicorn's own
        worker waits for that in the thread that takes in connections, and all others wait with it."""
        goes_on = super().handle(conn)
        if not goes_on:
            self.method_queue.defer(self._begun.pop, conn, None)
            conn.close(graceful=True)
        return goes_on

    def finish_request(self, conn: TConn, fs: Future[Any]) -> None:
        self._begun.pop(conn, None)
        if conn.sock.fileno() < 0:  # closed above
            self.nr_conns -= 1
        else:
            super().finish_request(conn, fs)

    def wait_for_and_dispatch_events(self, timeout: float) -> None:
        super().wait_for_and_dispatch_events(timeout if self._accepting else min(timeout, LOOK_AGAIN))
