from __future__ import annotations

import threading
from datetime import timedelta

import pytest

from service.bot.claim import claim
from service.bot.inbox import INBOX
from service.bot.lease import Lease, LeaseLost
from service.database import connection
from service.models import DEAD, DONE, LEASED, QUEUED, InboxItem, base
from service.models.base import utc_now
from tests.support.chat import lease_left, make_chatbot, reloaded, send

pytestmark = pytest.mark.usefixtures("service_database")
on_postgresql = pytest.mark.parametrize("service_database", ["postgresql"], indirect=True)


def take(holder: str = "one", seconds: float = 30.0) -> Lease[InboxItem] | None:
    return claim(INBOX, holder, seconds)


def taken(holder: str = "one", seconds: float = 30.0) -> Lease[InboxItem]:
    lease = take(holder, seconds)
    assert lease is not None
    return lease


def run_out(item: InboxItem) -> None:
    InboxItem.update(leased_until=utc_now() - timedelta(seconds=1)).where(InboxItem.id == item.id).execute()


def test_there_is_nothing_to_claim_in_an_empty_inbox() -> None:
    assert take() is None


def test_a_claim_leases_the_oldest_message() -> None:
    first, second = send(make_chatbot(), "One", thread="a"), send(make_chatbot(), "Two", thread="b")
    lease = taken(seconds=30)
    assert lease.item == first
    stored = reloaded(first)
    assert (stored.state, stored.leased_by, stored.attempts) == (LEASED, "one", 1)
    assert timedelta(seconds=25) < lease_left(first) <= timedelta(seconds=30)
    assert reloaded(second).state == QUEUED


def test_what_one_holds_another_does_not_get() -> None:
    send(make_chatbot(), "Hello")
    assert take("one") is not None
    assert take("two") is None


@pytest.mark.parametrize("state", [QUEUED, LEASED])
def test_a_later_message_of_a_thread_waits_for_the_earlier_one(state: str) -> None:
    chatbot = make_chatbot()
    first = send(chatbot, "One")
    send(chatbot, "Two")
    if state == QUEUED:
        taken().retry("failed", delay=60)
    else:
        taken()
    assert reloaded(first).state == state
    assert take("two") is None


@pytest.mark.parametrize("end", ["finish", "bury"])
def test_the_next_message_of_a_thread_follows_when_the_earlier_one_is_over(end: str) -> None:
    chatbot = make_chatbot()
    send(chatbot, "One")
    second = send(chatbot, "Two")
    lease = taken()
    lease.finish() if end == "finish" else lease.bury("broken")
    assert taken("two").item == second


def test_threads_do_not_wait_for_each_other() -> None:
    chatbot, other = make_chatbot(), make_chatbot()
    waiting = [
        send(chatbot, "One", thread="a"),
        send(chatbot, "Two", thread="b"),
        send(chatbot, "Three", thread="a", channel="telegram"),
        send(other, "Four", thread="a"),
    ]
    assert [taken(f"worker {number}").item for number in range(4)] == waiting


def test_many_workers_share_the_messages_and_get_none_twice() -> None:
    chatbot = make_chatbot()
    for number in range(12):
        send(chatbot, "Hello", thread=f"{number}")
    found: list[int] = []

    def work(name: str) -> None:
        while lease := take(name):
            found.append(lease.item.id)
            lease.finish()

    threads = [threading.Thread(target=work, args=(f"worker {number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 12
    assert len(set(found)) == 12


def test_a_lease_that_ran_out_is_anybodys_and_the_first_holder_can_do_nothing_any_more() -> None:
    item = send(make_chatbot(), "Hello")
    late = taken("one")
    run_out(item)
    assert taken("two").item == item
    for action in (late.renew, late.finish, lambda: late.bury("x"), lambda: late.retry("x", 0), late.release):
        with pytest.raises(LeaseLost, match=r"inbox \d+ is no longer leased by one"):
            action()
    stored = reloaded(item)
    assert (stored.state, stored.leased_by, stored.attempts) == (LEASED, "two", 2)


def test_a_holder_that_asks_again_gets_back_what_it_dropped_but_not_under_the_old_lease() -> None:
    item = send(make_chatbot(), "Hello")
    dropped = taken("one")
    again = taken("one")
    assert again.item == item
    with pytest.raises(LeaseLost):
        dropped.finish()
    again.finish()


def test_a_lease_that_ran_out_unnoticed_may_still_be_finished() -> None:
    item = send(make_chatbot(), "Hello")
    lease = taken()
    run_out(item)
    lease.finish()
    assert reloaded(item).state == DONE


def test_renewing_moves_the_end_of_the_lease() -> None:
    item = send(make_chatbot(), "Hello")
    lease = taken(seconds=20)
    run_out(item)
    lease.renew()
    assert lease_left(item) > timedelta(seconds=15)


def test_a_finished_message_is_free_and_says_when() -> None:
    item = send(make_chatbot(), "Hello")
    taken().finish()
    stored = reloaded(item)
    assert (stored.state, stored.leased_by, stored.leased_until, stored.error) == (DONE, None, None, None)
    assert stored.finished_at is not None
    assert utc_now() - stored.finished_at < timedelta(seconds=5)
    assert take() is None


def test_a_dead_letter_keeps_its_reason_and_is_never_claimed() -> None:
    item = send(make_chatbot(), "Hello")
    taken().bury("It is broken.")
    stored = reloaded(item)
    assert (stored.state, stored.error, stored.leased_by) == (DEAD, "It is broken.", None)
    assert take() is None


def test_a_message_to_be_tried_again_is_not_claimed_before_its_time() -> None:
    item = send(make_chatbot(), "Hello")
    taken().retry("failed", delay=60)
    stored = reloaded(item)
    assert (stored.state, stored.error, stored.attempts) == (QUEUED, "failed", 1)
    assert take() is None
    InboxItem.update(available_at=utc_now()).execute()
    assert taken().item.attempts == 2


def test_a_released_message_is_claimable_at_once_and_its_attempt_does_not_count() -> None:
    item = send(make_chatbot(), "Hello")
    taken("one").release()
    assert reloaded(item).attempts == 0
    assert taken("two").item.attempts == 1


def test_a_lease_that_is_finished_in_a_transaction_that_fails_is_not_finished() -> None:
    item = send(make_chatbot(), "Hello")
    lease = taken()

    def finish_and_fail() -> None:
        with connection() as database, database.atomic():
            lease.finish()
            raise ValueError("later")

    with pytest.raises(ValueError, match="later"):
        finish_and_fail()
    assert reloaded(item).state == LEASED


@on_postgresql
def test_workers_whose_clocks_differ_agree_on_when_a_lease_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    item = send(make_chatbot(), "Hello")
    taken("one", seconds=30)
    monkeypatch.setattr(base, "utc_now", lambda: utc_now() + timedelta(hours=1))
    assert take("two") is None
    assert lease_left(item) <= timedelta(seconds=30)


@on_postgresql
def test_a_message_from_a_process_whose_clock_is_ahead_is_there_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    ahead = [(name, lambda: utc_now() + timedelta(hours=1)) for name in ("available_at", "created_at")]
    monkeypatch.setattr(InboxItem._meta, "_default_callable_list", ahead)
    item = send(make_chatbot(), "Hello")
    assert taken().item == item


def test_delays_double_up_to_the_longest() -> None:
    assert [INBOX.delay(attempt) for attempt in (1, 2, 3, 4)] == [1, 2, 4, 8]
    assert INBOX.delay(20) == INBOX.longest_delay
