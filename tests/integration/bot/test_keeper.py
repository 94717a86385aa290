from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from datetime import datetime

import pytest

from service.bot.claim import claim
from service.bot.inbox import INBOX
from service.bot.keeper import Keeper
from service.bot.lease import Lease
from service.log import JsonFormatter, about
from service.models import InboxItem
from tests.support.chat import make_chatbot, reloaded, send
from tests.support.clock import StoppedClock
from tests.support.processes import HANGS, eventually

pytestmark = pytest.mark.usefixtures("service_database")
on_sqlite = pytest.mark.parametrize("service_database", ["sqlite"], indirect=True)


def taken(seconds: float, thread: str = "one") -> Lease[InboxItem]:
    send(make_chatbot(), "Hello", thread=thread)
    lease = claim(INBOX, "me", seconds)
    assert lease is not None
    return lease


def end_of(lease: Lease[InboxItem]) -> datetime:
    found = reloaded(lease.item).leased_until
    assert found is not None
    return found


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[StoppedClock]:
    clock = StoppedClock()
    monkeypatch.setattr("service.bot.keeper.time", clock)
    yield clock
    clock.end()


def threads() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name == "keep inbox"}


def test_a_lease_is_renewed_for_as_long_as_the_work_takes(clock: StoppedClock) -> None:
    lease = taken(30.0)
    with Keeper().keeping(lease, 300.0) as is_late:
        for _ in range(4):
            before = end_of(lease)
            clock.go_on(10.0)
            eventually(lambda: end_of(lease) > before)  # noqa: B023
        assert claim(INBOX, "other", 30.0) is None
    assert not is_late.is_set()


@on_sqlite
def test_one_thread_keeps_what_comes_one_after_the_other_and_ends_when_nothing_comes(clock: StoppedClock) -> None:
    others, keeper, lease = threads(), Keeper(), taken(30.0)
    with keeper.keeping(lease, 300.0):
        [watching] = threads() - others
    for _ in range(5):
        with keeper.keeping(lease, 300.0):
            assert threads() - others == {watching}
    clock.go_on(10.0)
    watching.join(HANGS)
    assert not watching.is_alive()


@on_sqlite
def test_a_lease_that_is_taken_while_the_thread_sleeps_is_renewed_in_time(clock: StoppedClock) -> None:
    keeper = Keeper()
    with keeper.keeping(taken(30.0), 300.0):
        clock.go_on(6.0)
    lease = taken(30.0)
    with keeper.keeping(lease, 300.0):
        before = end_of(lease)
        clock.go_on(4.0)
        clock.go_on(6.0)
        eventually(lambda: end_of(lease) > before)


@on_sqlite
def test_whose_time_is_up_is_told_once_and_is_not_renewed_any_more(
    clock: StoppedClock, caplog: pytest.LogCaptureFixture
) -> None:
    lease = taken(30.0)
    with about(inbox_id=lease.item.id), Keeper().keeping(lease, 5.0) as is_late:
        before = end_of(lease)
        for _ in range(4):
            clock.go_on(5.0)
        assert is_late.is_set()
        assert lease.is_over.is_set()
        assert end_of(lease) == before
    assert [record.getMessage() for record in caplog.records] == [
        f"{lease}: not done after 5 s (ANSWER_SECONDS); the attempt is given up"
    ]


@on_sqlite
def test_what_it_has_to_say_bears_the_facts_of_the_row_in_hand(clock: StoppedClock) -> None:
    lines: list[str] = []

    class Ears(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(JsonFormatter().format(record))

    log, ears = logging.getLogger("service.bot.keeper"), Ears()
    log.addHandler(ears)
    keeper, first, second = Keeper(), taken(30.0), taken(30.0, "two")
    with about(inbox_id="the first"), keeper.keeping(first, 300.0):
        pass
    InboxItem.update(leased_by="somebody else").execute()
    with about(inbox_id="the second"), keeper.keeping(second, 300.0):
        clock.go_on(10.0)
        eventually(lambda: lines)
    log.removeHandler(ears)
    assert '"inbox_id": "the second"' in lines[0]
    assert "its lease was not renewed" in lines[0]
