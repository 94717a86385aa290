"""Answers on their way out of the outbox, to a Bot API server on this machine and through the real library."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from service.bot.consumer import Consumer
from service.bot.outbox import bury, deliver, outbox
from service.bot.telegram import Delivery
from service.bot.waker import Polling
from service.chat.respond import respond
from service.config import Config
from service.models import DEAD, DONE, QUEUED, OutboxItem
from service.models.base import utc_now
from service.telegram.client import CHANNEL
from service.url import DatabaseUrl
from tests.support.bot_api import TOKEN, BotApi, bot_api
from tests.support.chat import make_chatbot, send
from tests.support.providers import Recorder

# What differs between the engines is tested with the inbox and the leases; this is about the network.
pytestmark = pytest.mark.parametrize("service_database", ["sqlite"], indirect=True)


@pytest.fixture
def api() -> Iterator[BotApi]:
    with bot_api() as server:
        yield server


@pytest.fixture
def sender(service_database: DatabaseUrl, api: BotApi) -> Consumer[OutboxItem]:
    config = Config.from_env({"TELEGRAM_BOT_TOKEN": TOKEN, "TELEGRAM_API_BASE": api.base})
    work = partial(deliver, sender=Delivery(config))
    return Consumer(outbox(CHANNEL), "me", 30.0, work, bury, Polling(), threading.Event())


def answered(text: str = "Hi.", channel: str = CHANNEL, thread: str = "7", **address: Any) -> None:
    """An answer that waits in the outbox."""
    item = send(make_chatbot(), "Hello", channel=channel, thread=thread, **{"chat_id": 7, **address})
    respond(item, {"offline": Recorder(text)}, lambda: None)


def again() -> None:
    OutboxItem.update(available_at=utc_now()).execute()


def test_an_answer_is_delivered_to_its_chat(sender: Consumer[OutboxItem], api: BotApi) -> None:
    answered("Hi.", chat_type="private", message_id=3)
    sender.drain()
    assert api.sent == [{"chat_id": "7", "text": "Hi."}]
    assert OutboxItem.get().state == DONE


def test_in_a_group_it_goes_to_the_topic_and_refers_to_the_question(sender: Consumer[OutboxItem], api: BotApi) -> None:
    answered("Hi.", chat_type="supergroup", message_id=3, message_thread_id=5)
    sender.drain()
    assert api.sent[0]["message_thread_id"] == "5"
    reply = json.loads(api.sent[0]["reply_parameters"])
    assert (reply["message_id"], reply["allow_sending_without_reply"]) == (3, True)


def test_answers_for_other_channels_are_left_alone(sender: Consumer[OutboxItem], api: BotApi) -> None:
    answered(channel="carrier pigeon")
    sender.drain()
    assert api.sent == []
    assert OutboxItem.get().state == QUEUED


def test_a_long_answer_goes_in_parts(sender: Consumer[OutboxItem], api: BotApi) -> None:
    answered("a" * 4000 + "\n" + "b" * 4000)
    sender.drain()
    assert api.texts() == ["a" * 4000, "b" * 4000]


def test_a_part_that_was_delivered_is_not_delivered_again(sender: Consumer[OutboxItem], api: BotApi) -> None:
    answered("a" * 4000 + "\n" + "b" * 4000)
    api.faults["sendMessage"] = [{"ok": True, "result": _sent("first")}]  # delivered, though not by us
    api.hang_up("sendMessage")
    sender.drain()
    assert OutboxItem.get().address["sent"] == 1
    again()
    sender.drain()
    assert api.texts() == ["b" * 4000]
    assert OutboxItem.get().state == DONE


def _sent(text: str) -> dict[str, Any]:
    return {"message_id": 1, "date": 0, "chat": {"id": 7, "type": "private"}, "text": text}


@pytest.mark.filterwarnings("ignore::telegram.warnings.PTBDeprecationWarning")  # the library warns of its own use
def test_too_many_requests_are_waited_out_as_long_as_telegram_asks(sender: Consumer[OutboxItem], api: BotApi) -> None:
    answered()
    api.flood(seconds=40)
    sender.drain()
    item = OutboxItem.get()
    assert (item.state, item.attempts) == (QUEUED, 0)
    assert timedelta(seconds=35) < item.available_at - utc_now() <= timedelta(seconds=40)
    again()
    sender.drain()
    assert api.texts() == ["Hi."]


def test_a_network_fault_is_tried_again(sender: Consumer[OutboxItem], api: BotApi) -> None:
    answered()
    api.hang_up("sendMessage")
    sender.drain()
    item = OutboxItem.get()
    assert (item.state, item.attempts) == (QUEUED, 1)
    again()
    sender.drain()
    assert api.texts() == ["Hi."]
    assert OutboxItem.get().error is None


def test_a_later_answer_does_not_overtake_one_that_failed(sender: Consumer[OutboxItem], api: BotApi) -> None:
    chatbot = make_chatbot()
    for text in ("One", "Two"):
        item = send(chatbot, "Hello", channel=CHANNEL, chat_id=7)
        respond(item, {"offline": Recorder(text)}, lambda: None)
    api.hang_up("sendMessage")
    sender.drain()
    assert api.texts() == []
    again()
    sender.drain()
    assert api.texts() == ["One", "Two"]


@pytest.mark.parametrize(
    ("code", "description", "reason"),
    [
        (403, "Forbidden: bot was blocked by the user", "Forbidden: bot was blocked by the user"),
        (400, "Bad Request: chat not found", "Chat not found"),
    ],
)
def test_what_telegram_refuses_for_good_becomes_a_dead_letter_with_the_reason(
    sender: Consumer[OutboxItem], api: BotApi, code: int, description: str, reason: str
) -> None:
    answered()
    api.refuse("sendMessage", code, description)
    sender.drain()
    item = OutboxItem.get()
    assert (item.state, item.attempts) == (DEAD, 1)
    assert item.error == f"Telegram refuses the message: {reason}"


def test_after_the_last_attempt_it_becomes_a_dead_letter(sender: Consumer[OutboxItem], api: BotApi) -> None:
    answered()
    OutboxItem.update(attempts=sender.queue.attempts - 1).execute()
    api.hang_up("sendMessage")
    sender.drain()
    item = OutboxItem.get()
    assert item.state == DEAD
    assert str(item.error).startswith("NetworkError: ")
    assert TOKEN not in str(item.error)
