from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from typing import Any

import peewee as pw
import pytest

from service.bot.claim import claim
from service.bot.consumer import Consumer, Later, Outage, Outcome
from service.bot.inbox import INBOX, PATIENCE, answer, apologise_and_bury
from service.bot.lease import Lease
from service.bot.waker import Polling
from service.chat.providers import Chunk, Provider, ProviderError, Request, built_in
from service.chat.respond import APOLOGY
from service.models import DEAD, DONE, LEASED, QUEUED, InboxItem, User
from service.models.base import utc_now
from tests.support.chat import make_chatbot, make_user, reloaded, send, transcript
from tests.support.processes import eventually
from tests.support.providers import Endless, Failing, Recorder, overloaded

pytestmark = pytest.mark.usefixtures("service_database")
on_sqlite = pytest.mark.parametrize("service_database", ["sqlite"], indirect=True)

Work = Callable[[Lease[InboxItem]], Outcome]


def consumer(work: Work, *, seconds: float = 30.0) -> Consumer[InboxItem]:
    return Consumer(INBOX, "me", seconds, work, apologise_and_bury, Polling(), threading.Event())


def answering(provider: Provider) -> Consumer[InboxItem]:
    return consumer(partial(answer, providers={"offline": provider}))


def make_due() -> None:
    InboxItem.update(available_at=utc_now()).execute()


def test_a_step_answers_one_message() -> None:
    item = send(make_chatbot(), "Hello")
    worker = answering(Recorder("Hi."))
    assert worker.step()
    assert not worker.step()
    assert reloaded(item).state == DONE
    assert transcript() == [("user", "Hello"), ("assistant", "Hi.")]


@on_sqlite
def test_the_log_has_one_line_a_message_with_ids_and_times_but_no_text(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    item = send(make_chatbot(), "A private question")
    answering(Recorder("A private answer")).drain()
    (line,) = [record.getMessage() for record in caplog.records if record.name.startswith("service")]
    assert line.startswith(f"inbox {item.id}: answered by message ")
    assert re.search(r"attempt 1, \d+\.\d{3} s, \d+\.\d{3} s after it came$", line)
    assert "private" not in line


def test_a_passing_failure_is_tried_again_after_a_while() -> None:
    item, before = send(make_chatbot(), "Hello"), utc_now()
    answering(overloaded()).drain()
    stored = reloaded(item)
    assert (stored.state, stored.attempts) == (QUEUED, 1)
    assert stored.error == "ProviderError: The endpoint answered 503."
    assert before + timedelta(seconds=0.9) < stored.available_at < utc_now() + timedelta(seconds=1.1)
    make_due()
    answering(Recorder("Hi.")).drain()
    stored = reloaded(item)
    assert (stored.state, stored.error) == (DONE, None)
    assert transcript() == [("user", "Hello"), ("assistant", "Hi.")]


def test_who_is_asked_to_come_later_does_and_it_is_no_failed_attempt() -> None:
    item = send(make_chatbot(), "Hello")
    busy = Failing(ProviderError("Too many requests.", is_temporary=True, delay=40))
    answering(busy).drain()
    stored = reloaded(item)
    assert (stored.state, stored.attempts) == (QUEUED, 0)
    assert timedelta(seconds=35) < stored.available_at - utc_now() <= timedelta(seconds=40)


@on_sqlite
def test_nobody_is_put_off_for_ever() -> None:
    item = send(make_chatbot(), "Hello")
    InboxItem.update(created_at=utc_now() - PATIENCE).execute()
    answering(Failing(ProviderError("Too many requests.", is_temporary=True, delay=40))).drain()
    assert reloaded(item).attempts == 1


class Taken(Recorder):
    """Answers slowly; after the first word another worker takes the message over."""

    def stream(self, request: Request) -> Iterator[Chunk]:
        yield "half an "
        InboxItem.update(leased_by="another").execute()
        eventually(request.is_cancelled)
        yield "answer"


def test_an_answer_stops_when_its_lease_is_lost(caplog: pytest.LogCaptureFixture) -> None:
    send(make_chatbot(), "Hello")
    consumer(partial(answer, providers={"offline": Taken()}), seconds=0.3).step()
    assert "was given up while it was being answered. Its result is dropped." in caplog.text
    assert transcript() == []


def test_after_the_last_attempt_there_is_an_apology_and_a_dead_letter() -> None:
    item = send(make_chatbot(), "Hello")
    worker = answering(overloaded())
    for _ in range(INBOX.attempts):
        assert transcript() == []
        make_due()
        worker.step()
    stored = reloaded(item)
    assert (stored.state, stored.attempts) == (DEAD, INBOX.attempts)
    assert stored.error == "ProviderError: The endpoint answered 503."
    assert transcript() == [("user", "Hello"), ("assistant", APOLOGY)]


def test_an_unknown_provider_is_not_tried_again() -> None:
    item = send(make_chatbot(model_provider="oracle"), "Hello")
    consumer(partial(answer, providers=built_in())).drain()
    stored = reloaded(item)
    assert (stored.state, stored.attempts) == (DEAD, 1)
    assert str(stored.error).startswith("The chatbot's provider 'oracle' is unknown; choose one of: offline")
    assert transcript() == [("user", "Hello"), ("assistant", APOLOGY)]


def test_the_failure_of_one_message_does_not_hold_up_another_thread() -> None:
    send(make_chatbot(model_provider="oracle"), "Hello", thread="broken")
    send(make_chatbot(), "Hello", thread="whole")
    consumer(partial(answer, providers=built_in())).drain()
    assert transcript("whole")[0] == ("user", "Hello")


def test_a_message_that_kills_its_workers_ends_as_a_dead_letter() -> None:
    item = send(make_chatbot(), "Hello")
    InboxItem.update(attempts=INBOX.attempts).execute()
    worker = answering(Recorder())
    worker.drain()
    stored = reloaded(item)
    assert (stored.state, stored.error) == (DEAD, "Each worker that tried it stopped before it was done.")
    assert transcript() == [("user", "Hello"), ("assistant", APOLOGY)]


def test_where_not_even_an_apology_can_be_written_the_reason_is_kept() -> None:
    item = send(make_chatbot(model_provider="oracle"), "Hello")
    InboxItem.update(metadata={"user_id": {"not": "a number"}}).execute()
    consumer(partial(answer, providers=built_in())).drain()
    for _ in range(INBOX.attempts):
        make_due()
        consumer(partial(answer, providers=built_in())).drain()
    stored = reloaded(item)
    assert stored.state == DEAD
    assert "No apology could be written" in str(stored.error)


@on_sqlite
def test_an_error_in_our_own_code_leaves_no_message_text_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    send(make_chatbot(), "Hello")
    answering(Failing(ValueError("A private question"))).drain()
    assert "private" not in caplog.text
    assert "ValueError" in caplog.text


@on_sqlite
def test_work_that_is_put_off_costs_no_attempt() -> None:
    item = send(make_chatbot(), "Hello")

    def put_off(lease: Lease[InboxItem]) -> Outcome:
        raise Later(30)

    consumer(put_off).drain()
    stored = reloaded(item)
    assert (stored.state, stored.attempts) == (QUEUED, 0)
    assert stored.available_at - utc_now() > timedelta(seconds=25)


def test_an_answer_that_comes_after_the_lease_was_lost_is_dropped(caplog: pytest.LogCaptureFixture) -> None:
    class Overtaken(Recorder):
        def stream(self, request: Request) -> Iterator[Chunk]:
            InboxItem.update(leased_by="somebody else").execute()
            return iter(["Too late."])

    item = send(make_chatbot(), "Hello")
    answering(Overtaken()).step()
    assert transcript() == []
    assert (reloaded(item).state, reloaded(item).leased_by) == (LEASED, "somebody else")
    assert "no longer leased by me. Its result is dropped." in caplog.text


def test_an_answer_that_cannot_be_written_leaves_nothing_and_the_message_is_tried_again() -> None:
    class RemovesTheUser(Recorder):
        def stream(self, request: Request) -> Iterator[Chunk]:
            User.delete().execute()
            return super().stream(request)

    item = send(make_chatbot(), "Hello", user_id=make_user().id)
    answering(RemovesTheUser()).drain()
    assert transcript() == []
    assert (reloaded(item).state, reloaded(item).attempts) == (QUEUED, 1)
    make_due()
    answering(Recorder("Hi.")).drain()
    assert transcript() == [("user", "Hello"), ("assistant", "Hi.")]


@on_sqlite
def test_an_answer_that_takes_too_long_is_broken_off_and_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    item = send(make_chatbot(), "A private question")
    worker = answering(Endless(hears=True))
    worker.limit = 0.2
    worker.drain()
    stored = reloaded(item)
    assert (stored.state, stored.attempts) == (QUEUED, 1)
    assert stored.error == "TookTooLong: It was not done within 0.2 s (ANSWER_SECONDS)."
    assert f"inbox {item.id}: attempt 1 failed, next in 1 s: TookTooLong" in caplog.text
    assert transcript() == []
    make_due()
    answering(Recorder("Hi.")).drain()
    assert transcript() == [("user", "A private question"), ("assistant", "Hi.")]


@pytest.mark.parametrize(("is_told", "claims"), [(True, 3), (False, 4)])
def test_who_is_told_of_what_comes_does_not_ask_after_the_last_one(
    is_told: bool, claims: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    chatbot, asked = make_chatbot(), []

    def counted(*given: Any) -> Any:
        asked.append(given)
        return claim(*given)

    monkeypatch.setattr("service.bot.consumer.claim", counted)
    for number in range(3):
        send(chatbot, f"{number}")
    worker = answering(Recorder("Hi."))
    worker.waker.is_told = is_told
    worker.drain()
    assert len(transcript()) == 6
    assert len(asked) == claims
    worker.drain()
    assert len(asked) == claims, "a look is enough to see that there is nothing"


def test_what_hears_no_reproach_loses_its_lease() -> None:
    item, deaf = send(make_chatbot(), "Hello"), Endless(hears=False)
    worker = answering(deaf)
    worker.limit, worker.seconds = 0.2, 0.3
    hanging = threading.Thread(target=worker.step)
    hanging.start()
    try:
        eventually(lambda: reloaded(item).state == LEASED)
        eventually(lambda: claim(INBOX, "another", 30))
        assert (reloaded(item).leased_by, reloaded(item).attempts) == ("another", 2)
    finally:
        deaf.released.set()
        hanging.join()
    assert (reloaded(item).leased_by, reloaded(item).attempts) == ("another", 2)


@on_sqlite
def test_a_failing_database_is_told_of_once_and_so_is_its_return(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    stop = threading.Event()
    outage = Outage("inbox", stop)
    outage.end()
    stop.set()  # so that nobody has to wait
    for _ in range(3):
        outage.wait(pw.OperationalError("connection refused\nmore"))
    outage.end()
    told = [record.getMessage() for record in caplog.records]
    assert told[0] == "inbox: stopped by OperationalError: connection refused; trying again until it works"
    assert told[1].startswith("inbox: works again after ")
    assert len(told) == 2


@on_sqlite
def test_a_loop_survives_an_error_that_nobody_foresaw() -> None:
    calls: list[float] = []
    worker = answering(Recorder("Hi."))

    class Broken:
        is_told = False

        def wait(self, stop: threading.Event) -> None:
            calls.append(time.monotonic())
            if len(calls) == 1:
                raise RuntimeError("never seen before")
            stop.set()

    worker.waker = Broken()
    worker.run()
    assert len(calls) == 2


@on_sqlite
def test_the_row_in_hand_is_known_while_it_is_worked_on() -> None:
    held: list[int] = []

    def look(lease: Lease[InboxItem]) -> Outcome:
        assert worker.in_hand is not None
        held.append(worker.in_hand.item.id)
        lease.finish()
        return Outcome("looked")

    worker = consumer(look)
    item = send(make_chatbot(), "Hello")
    worker.drain()
    assert held == [item.id]
    assert worker.in_hand is None
