"""Updates on their way into the inbox, from a Bot API server on this machine and through the real library."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from service.bot.telegram import Poller
from service.chat.receive import receive
from service.models import Chatbot, InboxItem
from service.telegram.client import make_bot
from tests.support.bot_api import TOKEN, BotApi, bot_api
from tests.support.chat import make_chatbot
from tests.support.workers import eventually

# What differs between the engines is tested with the inbox; this is about the network.
pytestmark = [
    pytest.mark.usefixtures("service_database"),
    pytest.mark.parametrize("service_database", ["sqlite"], indirect=True),
]


@pytest.fixture
def api() -> Iterator[BotApi]:
    with bot_api() as server:
        yield server


def poller(api: BotApi, chatbot: int | None = None, token: str = TOKEN) -> Poller:
    return Poller(make_bot(token, api.base), chatbot, threading.Event())


def poll(api: BotApi, rounds: int = 1, chatbot: int | None = None) -> None:
    """As a freshly started process does."""

    async def some_rounds() -> None:
        fresh = poller(api, chatbot)
        for _ in range(rounds):
            await fresh.round()

    asyncio.run(some_rounds())


def stored() -> list[str]:
    return [item.content for item in InboxItem.select().order_by(InboxItem.id)]


def test_updates_are_stored_in_order_and_then_confirmed_by_the_next_question(api: BotApi) -> None:
    make_chatbot()
    api.say(10, "Hello")
    api.say(11, "Are you there?")
    poll(api, rounds=2)
    assert stored() == ["Hello", "Are you there?"]
    assert api.offsets == [0, 12]
    assert api.updates == []


def test_a_crash_between_storing_and_confirming_stores_the_update_once(api: BotApi) -> None:
    make_chatbot()
    api.say(10, "Hello")
    poll(api)
    assert len(api.updates) == 1  # Telegram has not been told yet, and the process is gone
    poll(api)
    assert stored() == ["Hello"]


def test_an_update_that_could_not_be_stored_is_not_confirmed(api: BotApi, monkeypatch: pytest.MonkeyPatch) -> None:
    make_chatbot()
    api.say(10, "Hello")
    api.say(11, "Are you there?")

    def fail_on_the_second(chatbot: Chatbot, **message: Any) -> InboxItem | None:
        if message["content"] == "Are you there?" and not failed:
            failed.append(True)
            raise ConnectionError("the database went away")
        return receive(chatbot, **message)

    failed: list[bool] = []
    monkeypatch.setattr("service.telegram.updates.receive", fail_on_the_second)
    fresh = poller(api)

    async def twice() -> None:
        with pytest.raises(ConnectionError):
            await fresh.round()
        await fresh.round()

    asyncio.run(twice())
    assert api.offsets == [0, 11]
    assert stored() == ["Hello", "Are you there?"]


def test_a_private_chat_is_one_thread_and_the_sender_is_known(api: BotApi) -> None:
    make_chatbot()
    api.say(10, "Hello", chat=7)
    poll(api)
    item = InboxItem.get()
    assert (item.channel, item.thread, item.external_id) == ("telegram", "7", "4242/10")
    assert item.metadata == {"chat_id": 7, "chat_type": "private", "message_id": 1010, "sender": "Ada L."}


def test_a_topic_of_a_group_is_a_thread_of_its_own_but_a_plain_reply_is_not(api: BotApi) -> None:
    make_chatbot()
    group = {"id": -100, "type": "supergroup", "title": "Team"}
    api.say(10, "In the topic", message_thread_id=5, is_topic_message=True, group=group)
    api.say(11, "A reply", message_thread_id=1010, group=group)
    poll(api)
    assert [item.thread for item in InboxItem.select().order_by(InboxItem.id)] == ["-100/5", "-100"]
    assert InboxItem.get().metadata["message_thread_id"] == 5


def test_an_update_without_text_is_passed_over_and_confirmed(api: BotApi) -> None:
    make_chatbot()
    api.say(10, None)
    api.say(11, "Hello")
    poll(api, rounds=2)
    assert stored() == ["Hello"]
    assert api.updates == []


def test_messages_go_to_the_first_chatbot_unless_another_is_named(api: BotApi) -> None:
    first, second = make_chatbot(), make_chatbot()
    api.say(10, "To the first")
    poll(api, rounds=2)
    api.say(11, "To the second")
    poll(api, chatbot=second.id)
    assert [item.chatbot for item in InboxItem.select().order_by(InboxItem.id)] == [first, second]


@pytest.mark.parametrize(("chatbot", "name"), [(None, "no chatbot yet"), (99, r"no chatbot 99 (TELEGRAM_CHATBOT)")])
def test_while_there_is_no_chatbot_messages_stay_at_telegram(
    api: BotApi, caplog: pytest.LogCaptureFixture, chatbot: int | None, name: str
) -> None:
    api.say(10, "Hello")
    waiting = poller(api, chatbot)
    waiting._stop.set()  # so that it does not wait
    asyncio.run(waiting.round())
    asyncio.run(waiting.round())
    assert api.offsets == []
    assert [record.getMessage() for record in caplog.records] == [
        f"Telegram: there is {name}; messages wait at Telegram until it is made in the panel."
    ]


def run_until(condition: Any, poll_loop: Poller) -> None:
    """The loop as the worker runs it, in a thread, until the condition holds."""
    thread = threading.Thread(target=poll_loop.run)
    thread.start()
    try:
        eventually(condition)
    finally:
        poll_loop._stop.set()
        thread.join(5)
    assert not thread.is_alive()


def test_network_faults_are_told_of_once_and_waited_out(api: BotApi, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="service")
    make_chatbot()
    api.hang_up("getUpdates")
    api.hang_up("getUpdates")
    api.say(10, "Hello")
    run_until(lambda: "works again" in caplog.text, poller(api))
    assert stored() == ["Hello"]
    assert caplog.text.count("stopped by NetworkError") == 1
    assert TOKEN not in caplog.text


@pytest.mark.parametrize(
    ("code", "words"),
    [(401, "Telegram refuses TELEGRAM_BOT_TOKEN"), (409, "somebody else polls with this TELEGRAM_BOT_TOKEN")],
)
def test_what_only_a_person_can_mend_is_explained(
    api: BotApi, caplog: pytest.LogCaptureFixture, code: int, words: str
) -> None:
    make_chatbot()
    api.refuse("getUpdates", code, "Unauthorized")
    run_until(lambda: words in caplog.text, poller(api))
    assert TOKEN not in caplog.text


def test_a_long_poll_is_ended_when_the_worker_stops(api: BotApi) -> None:
    make_chatbot()
    run_until(lambda: len(api.offsets) > 0, poller(api))
