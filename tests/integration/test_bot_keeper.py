from __future__ import annotations

import logging
import threading
from datetime import timedelta

import pytest

from service.bot.claim import claim
from service.bot.inbox import INBOX
from service.bot.keeper import Keeper
from service.bot.lease import Lease
from service.log import JsonFormatter, about
from service.models import InboxItem
from service.models.base import utc_now
from tests.support.chat import lease_left, make_chatbot, reloaded, send
from tests.support.processes import eventually

pytestmark = pytest.mark.usefixtures("service_database")
on_sqlite = pytest.mark.parametrize("service_database", ["sqlite"], indirect=True)


def taken(seconds: float, thread: str = "one") -> Lease[InboxItem]:
    send(make_chatbot(), "Hello", thread=thread)
    lease = claim(INBOX, "me", seconds)
    assert lease is not None
    return lease


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "keep inbox"]


def test_a_lease_is_renewed_for_as_long_as_the_work_takes() -> None:
    lease = taken(0.6)
    with Keeper().keeping(lease, 30.0) as is_late:
        first = reloaded(lease.item).leased_until
        assert first is not None
        eventually(lambda: utc_now() > first + timedelta(seconds=0.2))
        assert lease_left(lease.item) > timedelta(0)
        assert claim(INBOX, "other", 0.6) is None
    assert not is_late.is_set()


@on_sqlite
def test_one_thread_keeps_what_comes_one_after_the_other_and_ends_when_nothing_comes() -> None:
    eventually(lambda: not threads())
    keeper, lease = Keeper(), taken(3.0)
    with keeper.keeping(lease, 30.0):
        [watching] = threads()
    for _ in range(5):
        with keeper.keeping(lease, 30.0):
            assert threads() == [watching]
    eventually(lambda: not threads())


@on_sqlite
def test_a_lease_that_is_taken_while_the_thread_sleeps_is_renewed_in_time() -> None:
    keeper = Keeper()
    with keeper.keeping(taken(0.9), 30.0):
        pass
    lease = taken(0.9)
    with keeper.keeping(lease, 30.0):
        first = lease.item.leased_until
        assert first is not None
        eventually(lambda: utc_now() > first + timedelta(seconds=0.3))
        assert lease_left(lease.item) > timedelta(0)


@on_sqlite
def test_whose_time_is_up_is_told_once_and_is_not_renewed_any_more(caplog: pytest.LogCaptureFixture) -> None:
    lease = taken(30.0)
    with about(inbox_id=lease.item.id), Keeper().keeping(lease, 0.1) as is_late:
        eventually(is_late.is_set)
        assert lease.is_over.is_set()
        assert not threading.Event().wait(0.3)
    assert [record.getMessage() for record in caplog.records] == [
        f"{lease}: not done after 0.1 s (ANSWER_SECONDS); the attempt is given up"
    ]


@on_sqlite
def test_what_it_has_to_say_bears_the_facts_of_the_row_in_hand() -> None:
    lines: list[str] = []

    class Ears(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(JsonFormatter().format(record))

    log, ears = logging.getLogger("service.bot.keeper"), Ears()
    log.addHandler(ears)
    keeper, first, second = Keeper(), taken(0.3), taken(0.3, "two")
    with about(inbox_id="the first"), keeper.keeping(first, 30.0):
        pass
    InboxItem.update(leased_by="somebody else").execute()
    with about(inbox_id="the second"), keeper.keeping(second, 30.0):
        eventually(lambda: lines)
    log.removeHandler(ears)
    assert '"inbox_id": "the second"' in lines[0]
    assert "its lease was not renewed" in lines[0]
