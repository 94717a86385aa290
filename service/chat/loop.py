"""An event loop in a thread of its own, for what talks to the network: only there can a wait be broken off at once.
Whoever answers stays in plain code, and reads what comes as an iterator."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from concurrent.futures import CancelledError, Future
from typing import Any, TypeVar

from service.chat.cancel import Cancelled, IsCancelled

T = TypeVar("T")

# How soon after a cancellation its stream is closed.
GLANCE = 0.1
CLOSING = 5.0


class Loop:
    """Begins with the first use: making one costs nothing, and a process that forks has no thread yet."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._running: set[asyncio.Task[Any]] = set()
        self._closers: list[Callable[[], Coroutine[Any, Any, None]]] = []

    def run(self, work: Coroutine[Any, Any, T], is_cancelled: IsCancelled) -> T:
        """The result of the work; Cancelled, and the work is broken off, once nobody waits for it."""
        future = self.start(work)
        try:
            while not _is_done(future):
                if is_cancelled():
                    raise Cancelled
            return future.result()
        except CancelledError:
            raise Cancelled from None
        finally:
            future.cancel()

    def iterate(self, items: AsyncGenerator[T, None], is_cancelled: IsCancelled) -> Generator[T, None, None]:
        """The items as they come. Whoever stops reading closes their source as well."""
        came: queue.SimpleQueue[tuple[T] | None] = queue.SimpleQueue()

        async def pump() -> None:
            async with contextlib.aclosing(items):
                async for item in items:
                    came.put((item,))

        future = self.start(pump())
        future.add_done_callback(lambda _future: came.put(None))
        try:
            while (item := _next(came, is_cancelled)) is not None:
                yield item[0]
            future.result()
        except CancelledError:
            raise Cancelled from None
        finally:
            future.cancel()

    def start(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(target=self._loop.run_forever, name="network", daemon=True)
                self._thread.start()
            return asyncio.run_coroutine_threadsafe(self._tracked(work), self._loop)

    async def _tracked(self, work: Coroutine[Any, Any, T]) -> T:
        task = asyncio.current_task()
        assert task is not None  # for mypy: this is a coroutine
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return await work

    def before_closing(self, closer: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Have this done on the loop once the work there has ended."""
        self._closers.append(closer)

    def close(self) -> None:
        """Break off all that still runs, and wait a moment for it to end."""
        with self._lock:
            loop, thread, self._loop, self._thread = self._loop, self._thread, None, None
        if loop is None or thread is None:
            return
        try:
            asyncio.run_coroutine_threadsafe(self._end(), loop).result(CLOSING)
        except TimeoutError:
            return  # what does not want to end ends with the process
        loop.call_soon_threadsafe(loop.stop)
        thread.join(CLOSING)
        loop.close()

    async def _end(self) -> None:
        """The work first, which uses what the closers close; then whatever those left."""
        await _ended(set(self._running))
        await asyncio.gather(*(closer() for closer in self._closers), return_exceptions=True)
        await _ended({task for task in asyncio.all_tasks() if task is not asyncio.current_task()})
        # A stream that was broken off may not be closed yet, and without a loop it never will be.
        await asyncio.get_running_loop().shutdown_asyncgens()


def _is_done(future: Future[Any]) -> bool:
    with contextlib.suppress(TimeoutError, CancelledError):
        future.exception(GLANCE)
    return future.done()


def _next(came: queue.SimpleQueue[tuple[T] | None], is_cancelled: IsCancelled) -> tuple[T] | None:
    while True:
        if is_cancelled():
            raise Cancelled
        with contextlib.suppress(queue.Empty):
            return came.get(timeout=GLANCE)


async def _ended(tasks: set[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
