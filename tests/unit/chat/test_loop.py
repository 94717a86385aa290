from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Iterator

import pytest

from service.chat.cancel import Cancelled, never
from service.chat.loop import Loop
from tests.support.processes import HANGS


@pytest.fixture
def loop() -> Iterator[Loop]:
    loop = Loop()
    yield loop
    loop.close()


async def double(number: int) -> int:
    await asyncio.sleep(0)
    return 2 * number


class Source:
    """Counts without an end, or until it breaks, and remembers that it was closed."""

    def __init__(self, breaks_at: int = 0) -> None:
        self.breaks_at, self.closed = breaks_at, threading.Event()

    async def items(self) -> AsyncGenerator[int, None]:
        number = 0
        try:
            while True:
                number += 1
                if number == self.breaks_at:
                    raise ValueError("broken")
                yield number
                await asyncio.sleep(0.01)
        finally:
            self.closed.set()


def test_work_is_done_elsewhere_and_its_result_comes_back(loop: Loop) -> None:
    assert [loop.run(double(number), never) for number in (1, 2)] == [2, 4]


def test_an_error_comes_back_as_it_was(loop: Loop) -> None:
    async def fail() -> None:
        raise TimeoutError("The server was slow.")

    with pytest.raises(TimeoutError, match=r"^The server was slow\.$"):
        loop.run(fail(), never)


def test_items_come_one_by_one_until_the_source_breaks(loop: Loop) -> None:
    source = Source(breaks_at=4)
    came: list[int] = []
    with pytest.raises(ValueError, match="broken"):
        came.extend(loop.iterate(source.items(), never))
    assert came == [1, 2, 3]
    assert source.closed.wait(HANGS)


def test_a_source_that_nobody_reads_any_more_is_closed(loop: Loop) -> None:
    source = Source()
    items = loop.iterate(source.items(), never)
    assert next(items) == 1
    items.close()
    assert source.closed.wait(HANGS)


def test_a_cancelled_reader_stops_at_once_and_the_source_is_closed(loop: Loop) -> None:
    source, cancelled = Source(), threading.Event()
    items = loop.iterate(source.items(), cancelled.is_set)
    next(items)
    cancelled.set()
    with pytest.raises(Cancelled):
        list(items)
    assert source.closed.wait(HANGS)


def test_work_that_never_ends_can_be_cancelled(loop: Loop) -> None:
    asked = iter([False, True])
    with pytest.raises(Cancelled):
        loop.run(asyncio.Event().wait(), lambda: next(asked))


def test_closing_breaks_off_what_runs_and_then_does_what_was_asked_for() -> None:
    loop, source = Loop(), Source()
    told: list[bool] = []

    async def closer() -> None:
        told.append(source.closed.is_set())

    loop.before_closing(closer)
    items = loop.iterate(source.items(), never)
    next(items)
    loop.close()
    assert told == [True]
    with pytest.raises(Cancelled):
        list(items)


def test_closing_closes_what_was_read_half_way_and_left() -> None:
    loop, source = Loop(), Source()
    items = source.items()

    async def first() -> int:
        return await anext(items)

    assert loop.run(first(), never) == 1
    loop.close()
    assert source.closed.is_set()


def test_a_loop_that_was_never_used_has_nothing_to_close() -> None:
    before = threading.active_count()
    Loop().close()
    assert threading.active_count() == before
