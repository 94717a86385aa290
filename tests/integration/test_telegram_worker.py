"""Telegram, from a message to its answer, with the worker as a process."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.models import DONE, InboxItem, OutboxItem
from service.url import DatabaseUrl
from tests.support.bot_api import TOKEN, BotApi, bot_api
from tests.support.chat import make_chatbot, transcript
from tests.support.workers import Workers, eventually, workers


@pytest.fixture
def api() -> Iterator[BotApi]:
    with bot_api() as server:
        yield server


@pytest.fixture
def started(service_database: DatabaseUrl, tmp_path: Path) -> Iterator[Workers]:
    with workers(service_database, tmp_path) as handle:
        yield handle


def test_a_message_from_telegram_is_answered_there_by_a_worker_process(started: Workers, api: BotApi) -> None:
    make_chatbot()
    api.say(10, "A private question")
    process = started.start(TELEGRAM_BOT_TOKEN=TOKEN, TELEGRAM_API_BASE=api.base, LOG_LEVEL="debug")
    eventually(lambda: api.sent)
    eventually(lambda: OutboxItem.get().state == DONE)
    process.terminate()
    assert process.wait(10) == 0
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
    victim = started.start(**telegram)
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
