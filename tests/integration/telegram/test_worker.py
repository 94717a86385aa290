"""Telegram, from a message to its answer, with the worker as a process."""

from __future__ import annotations

import signal
from contextlib import closing

import pytest

from service.database import proxy
from service.models import DONE, Duty, InboxItem, OutboxItem
from service.url import DatabaseUrl
from tests.support.bot_api import TOKEN, BotApi
from tests.support.chat import make_chatbot, transcript
from tests.support.postgresql import Server, connect, free_port
from tests.support.processes import HANGS, answer, eventually
from tests.support.workers import Workers


def test_a_message_from_telegram_is_answered_there_by_a_worker_process(started: Workers, api: BotApi) -> None:
    make_chatbot()
    api.say(10, "A private question")
    process = started.start(TELEGRAM_BOT_TOKEN=TOKEN, TELEGRAM_API_BASE=api.base, LOG_LEVEL="debug")
    eventually(lambda: api.sent)
    eventually(lambda: OutboxItem.get().state == DONE)
    process.terminate()
    assert process.wait(HANGS) == 0
    assert "“A private question”" in api.texts()[0]
    assert api.texts()[0] == transcript("7")[1][1]
    assert "Serving the panel's channel and Telegram." in started.log
    assert TOKEN not in started.log
    assert "private" not in started.log


@pytest.mark.parametrize("service_database", ["sqlite"], indirect=True)
def test_a_worker_killed_between_storing_and_answering_answers_once_after_its_return(
    started: Workers, api: BotApi
) -> None:
    make_chatbot(model_provider="gated")
    api.say(10, "Hello")
    telegram = {"TELEGRAM_BOT_TOKEN": TOKEN, "TELEGRAM_API_BASE": api.base}
    victim = started.start(**telegram, LEASE_SECONDS="1", TEST_HOLD_SECONDS="1")
    eventually(lambda: started.at_work() == [(victim.pid, "Hello")])
    victim.send_signal(signal.SIGKILL)
    victim.wait()
    api.say(10, "Hello")  # as if Telegram had not been told that it arrived
    api.say(11, "Are you there?")
    started.open_gate()
    started.start(**telegram)
    eventually(lambda: len(api.sent) == 2)
    assert api.texts() == ["Answer to Hello", "Answer to Are you there?"]
    assert InboxItem.select().count() == 2


def receiving() -> int:
    """The process that has the duty to ask Telegram, or 0."""
    row = Duty.get_or_none(name="telegram:4242")
    return int(row.holder.split(":")[1]) if row and row.holder else 0


def delivered() -> int:
    return OutboxItem.select().where(OutboxItem.state == DONE).count()


def test_of_two_workers_one_asks_telegram_and_the_other_takes_over_when_it_is_killed(
    started: Workers, api: BotApi
) -> None:
    make_chatbot()
    telegram = {"TELEGRAM_BOT_TOKEN": TOKEN, "TELEGRAM_API_BASE": api.base, "TEST_HOLD_SECONDS": "4"}
    both = {process.pid: process for process in (started.start(**telegram), started.start(**telegram))}
    eventually(lambda: "another worker receives" in started.log and api.offsets)
    victim = both.pop(receiving())
    api.say(10, "Hello")
    eventually(lambda: delivered() == 1)  # what is killed while it sends is sent again
    victim.kill()
    victim.wait()
    api.say(11, "Are you there?")
    eventually(lambda: delivered() == 2)
    assert [receiving()] == list(both)
    assert [item.content for item in InboxItem.select().order_by(InboxItem.id)] == ["Hello", "Are you there?"]
    assert (api.conflicts, "Conflict" in started.log) == (0, False)


@pytest.mark.parametrize("service_database", ["sqlite"], indirect=True)
def test_a_worker_that_is_told_to_stop_hands_the_duty_over_at_once(started: Workers, api: BotApi) -> None:
    make_chatbot()
    telegram = {"TELEGRAM_BOT_TOKEN": TOKEN, "TELEGRAM_API_BASE": api.base}
    first = started.start(**telegram)
    eventually(lambda: receiving() == first.pid and api.offsets)
    second = started.start(**telegram)
    eventually(lambda: "another worker receives" in started.log)
    first.terminate()
    eventually(lambda: receiving() == second.pid)  # long before the hold of the first would have run out
    assert first.wait(HANGS) == 0
    assert api.conflicts == 0


@pytest.mark.parametrize("service_database", ["sqlite"], indirect=True)
def test_commands_and_pictures_are_answered_by_the_worker_itself(started: Workers, api: BotApi) -> None:
    make_chatbot(model_provider="gated")  # whose gate stays closed: nothing here may ask it
    api.say(10, "/start")
    api.say(11, None)
    started.start(TELEGRAM_BOT_TOKEN=TOKEN, TELEGRAM_API_BASE=api.base)
    eventually(lambda: len(api.sent) == 2)
    assert [text.partition(".")[0] for text in api.texts()] == [
        "Hello, I am Helper",
        "I can only read text, so I don't know what is in this photo",
    ]


@pytest.mark.parametrize("service_database", ["postgresql"], indirect=True)
def test_after_a_restart_of_the_database_every_loop_goes_on(
    started: Workers, api: BotApi, postgresql_server: Server
) -> None:
    make_chatbot()
    api.say(10, "Hello")
    port = free_port()
    process = started.start(TELEGRAM_BOT_TOKEN=TOKEN, TELEGRAM_API_BASE=api.base, WORKER_PORT=str(port))
    eventually(lambda: delivered() == 1)
    proxy.obj.close()
    postgresql_server.stop()
    api.say(11, "Are you there?")
    eventually(lambda: all(f"{loop}: stopped by" in started.log for loop in ("inbox", "outbox", "Telegram")))
    assert answer(port, "/healthz") == 200, "a restart of the worker would not bring the database back"
    postgresql_server.start()
    eventually(lambda: delivered() == 2)
    assert api.texts()[1].startswith("You wrote: “Are you there?”")
    eventually(lambda: len(listeners(started.url)) == 2)
    assert process.poll() is None


def listeners(url: DatabaseUrl) -> list[str]:
    """What the worker's own connections for LISTEN have asked last."""
    with closing(connect(url)) as database, database.cursor() as cursor:
        cursor.execute("SELECT query FROM pg_stat_activity WHERE application_name = 'slipway-bot-listen'")
        return [query for (query,) in cursor.fetchall()]
