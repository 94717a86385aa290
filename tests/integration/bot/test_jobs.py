"""Work at intervals: done by one worker, again when it failed, and what each job does."""

from __future__ import annotations

import logging
import threading
import time
from datetime import datetime, timedelta

import peewee as pw
import pytest

from service import limits
from service.bot import jobs
from service.bot.claim import claim
from service.bot.inbox import INBOX
from service.bot.jobs import leftovers, retention, usage, words
from service.bot.jobs.schedule import GoOn, Job, Schedule
from service.chat import search
from service.chat.respond import respond
from service.models import (
    DONE,
    ApiToken,
    Chatbot,
    Conversation,
    Duty,
    FollowedThread,
    IdempotencyKey,
    InboxItem,
    Message,
    RateLimit,
    ToolLog,
    UsageDay,
)
from service.models.base import utc_now
from tests.support.chat import make_chatbot, make_user, send, transcript
from tests.support.panel import ONE_ENGINE, at_once
from tests.support.processes import eventually
from tests.support.providers import Recorder
from tests.support.workers import Workers

pytestmark = pytest.mark.usefixtures("service_database")

LONG_AGO = timedelta(days=100)


def always() -> bool:
    return True


def never() -> bool:
    return False


def schedule(*wanted: Job, holder: str = "one") -> Schedule:
    return Schedule(wanted, holder, threading.Event(), always)


def answered(content: str = "Hello", *, thread: str = "one", chatbot: Chatbot | None = None) -> InboxItem:
    item = send(chatbot or make_chatbot(), content, thread=thread)
    lease = claim(INBOX, "one", 30)
    assert lease is not None
    respond(lease.item, {"offline": Recorder("Hi.")}, lease.finish)
    return item


def age(thread: str, by: timedelta = LONG_AGO) -> None:
    """As if the thread had not been touched for so long."""
    then = utc_now() - by
    conversation = Conversation.get(Conversation.thread == thread)
    Conversation.update(created_at=then, updated_at=then).where(Conversation.id == conversation.id).execute()
    Message.update(created_at=then).where(Message.conversation == conversation).execute()
    InboxItem.update(finished_at=then).where(InboxItem.thread == thread, InboxItem.state == DONE).execute()


def test_a_job_is_done_by_one_of_many_workers() -> None:
    done: list[str] = []

    def work(_: datetime | None, __: GoOn) -> str:
        done.append("work")
        return ""

    names = iter(range(4))
    at_once(4, lambda: schedule(Job("work", 60, work), holder=f"worker {next(names)}").round())
    assert done == ["work"]


def test_a_job_learns_when_it_was_last_done() -> None:
    seen: list[datetime | None] = []

    def work(done_at: datetime | None, _: GoOn) -> str:
        seen.append(done_at)
        return ""

    schedule(Job("work", 60, work)).round()
    Duty.update(done_at=utc_now() - timedelta(minutes=2)).execute()
    schedule(Job("work", 60, work), holder="two").round()
    first, second = seen
    assert first is None
    assert second is not None
    assert utc_now() - second < timedelta(minutes=3)


@ONE_ENGINE
def test_a_job_that_fails_is_still_due_and_keeps_no_other_back(caplog: pytest.LogCaptureFixture) -> None:
    done: list[str] = []

    def fail(_: datetime | None, __: GoOn) -> str:
        raise ValueError("A private text")

    def work(_: datetime | None, __: GoOn) -> str:
        done.append("work")
        return "worked"

    caplog.set_level(logging.INFO)
    schedule(Job("bad", 60, fail), Job("good", 60, work)).round()
    assert done == ["work"]
    assert "Job good: worked" in caplog.text
    assert "Job bad failed, and is tried again: ValueError at" in caplog.text
    assert "private" not in caplog.text
    assert Duty.get(Duty.name == "bad").done_at is None
    assert Duty.get(Duty.name == "good").done_at is not None


@ONE_ENGINE
def test_a_job_that_was_broken_off_by_the_end_of_its_worker_is_still_due() -> None:
    stop = threading.Event()

    def work(_: datetime | None, go_on: GoOn) -> str:
        assert go_on()
        stop.set()
        assert not go_on()
        return "broken off"

    Schedule([Job("work", 60, work)], "one", stop, always).round()
    assert (Duty.get().done_at, Duty.get().holder) == (None, None)


@ONE_ENGINE
def test_an_unreachable_database_is_told_of_once_and_the_schedule_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    stop = threading.Event()
    calls: list[float] = []

    def work(_: datetime | None, __: GoOn) -> str:
        calls.append(time.monotonic())
        if len(calls) < 3:
            raise pw.OperationalError("connection refused")
        stop.set()
        return ""

    Schedule([Job("work", 0, work)], "one", stop, always).run()
    assert len(calls) == 3
    assert caplog.text.count("jobs: stopped by OperationalError") == 1


def test_days_are_counted_from_the_first_message_to_today_and_then_the_last_ones() -> None:
    answered()
    age("one", timedelta(days=3))
    answered(thread="two")
    assert usage.run(None, always) == "counted 4 days"
    assert sorted((row.day, row.messages) for row in UsageDay.select().where(UsageDay.chatbot.is_null())) == [
        ((utc_now() - timedelta(days=3)).date(), 1),
        (utc_now().date(), 1),
    ]
    assert usage.run(utc_now(), always) == ""


def test_counting_that_is_broken_off_counts_no_further_day() -> None:
    answered()
    usage.run(None, never)
    assert not UsageDay.select().exists()


def test_messages_without_words_become_findable() -> None:
    message = Message.create(chatbot=make_chatbot(), role="user", content="When is the tide?")
    assert not Message.select().where(search.matching("tide")).exists()
    assert words.run(None, always) == "made 1 messages findable"
    assert Message.get(search.matching("tide")) == message
    assert words.run(None, always) == ""


def test_what_is_kept_for_repeated_requests_goes_after_a_day() -> None:
    token = ApiToken.create(user=make_user(), name="t", prefix="slw_", token_hash="x", scopes=[])
    for key, hours in (("old", 25), ("new", 23)):
        created = utc_now() - timedelta(hours=hours)
        IdempotencyKey.create(token=token, key=key, fingerprint="-", created_at=created)
    limits.take("ada", limit=9, seconds=60, now=0.0)
    limits.take("ada", limit=9, seconds=60)
    assert leftovers.run(None, always) == "removed 1 answers kept for repeated requests"
    assert [row.key for row in IdempotencyKey.select()] == ["new"]
    assert RateLimit.select().count() == 1


def test_threads_that_nobody_follows_any_more_are_removed_with_what_was_left_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(leftovers, "BATCH", 1)
    chatbot, now = make_chatbot(), utc_now()
    item = send(chatbot, "Hello")
    for thread, until in (("old", now - timedelta(minutes=1)), ("older", now - LONG_AGO), ("new", now + LONG_AGO)):
        FollowedThread.create(
            chatbot=chatbot, channel="panel", thread=thread, until=until, item=item, text="Half an answer"
        )
    assert leftovers.run(None, always) == ""
    assert [followed.thread for followed in FollowedThread.select()] == ["new"]
    InboxItem.delete().execute()
    assert FollowedThread.select().count() == 0, "it is gone with the message that it would answer"


def test_a_conversation_that_nobody_has_touched_for_so_long_goes_with_all_that_was_said() -> None:
    answered("An old question", thread="old")
    answered("A new question", thread="new")
    age("old")
    assert retention.run(90, None, always) == "deleted 1 conversations with 2 messages, and 1 rows beside them"
    assert transcript("old") == []
    assert len(transcript("new")) == 2
    assert [item.thread for item in InboxItem.select()] == ["new"], "the inbox held what the person wrote, too"
    assert retention.run(90, None, always) == ""


def test_a_conversation_with_a_message_that_waits_stays() -> None:
    chatbot = make_chatbot()
    answered(thread="old", chatbot=chatbot)
    age("old")
    send(chatbot, "I am back", thread="old")
    retention.run(90, None, always)
    assert len(transcript("old")) == 2


def test_a_conversation_that_waits_does_not_keep_the_older_ones_alive() -> None:
    chatbot = make_chatbot()
    for number in range(4):
        answered(thread=str(number), chatbot=chatbot)
        age(str(number), LONG_AGO + timedelta(days=4 - number))
    send(chatbot, "I am back", thread="0")
    assert retention.run(90, None, always).startswith("deleted 3 conversations")


def test_what_belongs_to_no_conversation_goes_by_its_own_age() -> None:
    chatbot, then = make_chatbot(), utc_now() - LONG_AGO
    for created in (then, utc_now()):
        Message.create(chatbot=chatbot, role="user", content="…", created_at=created)
        ToolLog.create(server="files", tool="read", created_at=created)
    answered()
    InboxItem.update(finished_at=then).execute()
    assert retention.run(90, None, always) == "deleted 0 conversations with 0 messages, and 3 rows beside them"
    assert len(transcript()) == 2


def test_a_conversation_that_was_touched_meanwhile_stays() -> None:
    answered(thread="old")
    age("old")
    found = Conversation.get()
    Conversation.update(updated_at=utc_now()).execute()
    assert retention._delete(found, utc_now() - timedelta(days=90)) is None
    assert len(transcript("old")) == 2


def test_retention_that_is_broken_off_deletes_no_further() -> None:
    answered(thread="old")
    age("old")
    retention.run(90, None, never)
    assert len(transcript("old")) == 2


def test_a_worker_does_its_jobs(started: Workers) -> None:
    answered("An old question", thread="old")
    age("old")
    Message.create(chatbot=make_chatbot(), role="user", content="When is the tide?")
    started.start(RETENTION_DAYS="90")
    done = Duty.select().where(Duty.done_at.is_null(False))
    eventually(lambda: done.count() == len(jobs.wanted(90)))
    assert Conversation.select().count() == 0
    assert UsageDay.select().exists()
    assert Message.select().where(search.matching("tide")).exists()
    # The line is written after the duty is done.
    eventually(lambda: "INFO Job retention: deleted 1 conversations with 2 messages" in started.log)
    assert "tide" not in started.log
