"""Answers on their way out of the outbox, to a Bot API server on this machine and through the real library."""

from __future__ import annotations

import json
import threading
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
from tests.support.bot_api import RESET, TOKEN, BotApi, Fault
from tests.support.chat import make_chatbot, send
from tests.support.postgresql import free_port
from tests.support.providers import Recorder

# What differs between the engines is tested with the inbox and the leases; this is about the network.
pytestmark = pytest.mark.parametrize("service_database", ["sqlite"], indirect=True)


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


def test_markdown_is_shown_as_telegram_shows_it(sender: Consumer[OutboxItem], api: BotApi) -> None:
    answered("See **this**:\n\n```python\nx = 1\n```")
    sender.drain()
    assert api.texts() == ["See this:\n\nx = 1"]
    assert json.loads(api.sent[0]["entities"]) == [
        {"type": "bold", "offset": 4, "length": 4},
        {"type": "pre", "offset": 11, "length": 5, "language": "python"},
    ]


@pytest.mark.parametrize("reason", ["can't parse entities: unexpected end", "wrong HTTP URL specified"])
def test_what_telegram_can_not_show_is_sent_again_as_plain_text(
    sender: Consumer[OutboxItem], api: BotApi, reason: str
) -> None:
    answered("See **this**.")
    api.refuse("sendMessage", 400, f"Bad Request: {reason}")
    sender.drain()
    assert (api.texts(), "entities" in api.sent[0]) == (["See this."], False)
    assert OutboxItem.get().attempts == 1


def test_a_code_block_that_is_too_long_goes_on_in_the_next_message(sender: Consumer[OutboxItem], api: BotApi) -> None:
    answered("```\n" + "a = 1\n" * 1000 + "```")
    sender.drain()
    assert [json.loads(message["entities"])[0]["type"] for message in api.sent] == ["pre", "pre"]
    assert all(len(text) <= 4096 and text.endswith("a = 1") for text in api.texts())


def test_where_the_topic_is_gone_the_answer_goes_to_the_group(sender: Consumer[OutboxItem], api: BotApi) -> None:
    answered("Hi.", chat_type="supergroup", message_id=3, message_thread_id=5)
    api.refuse("sendMessage", 400, "Bad Request: message thread not found")
    sender.drain()
    assert (api.texts(), "message_thread_id" in api.sent[0]) == (["Hi."], False)


@pytest.mark.parametrize("reason", ["message to be replied not found", "reply message not found"])
def test_where_the_question_is_gone_the_answer_stands_alone(
    sender: Consumer[OutboxItem], api: BotApi, reason: str
) -> None:
    answered("Hi.", chat_type="supergroup", message_id=3)
    api.refuse("sendMessage", 400, f"Bad Request: {reason}")
    sender.drain()
    assert (api.texts(), "reply_parameters" in api.sent[0]) == (["Hi."], False)


def test_an_answer_follows_a_group_that_has_moved_and_its_talk_moves_along(
    sender: Consumer[OutboxItem], api: BotApi
) -> None:
    answered("a" * 4000 + "\n" + "b" * 4000, thread="-5", chat_id=-5, chat_type="group", message_id=3)
    why = "Bad Request: group chat was upgraded to a supergroup chat"
    api.refuse("sendMessage", 400, why, parameters={"migrate_to_chat_id": -100})
    sender.drain()
    assert [(message["chat_id"], "reply_parameters" in message) for message in api.sent] == [("-100", False)] * 2
    item = OutboxItem.get()
    assert (item.state, item.address["chat_id"]) == (DONE, -100)
    assert item.conversation.thread == "-100"


def test_that_a_group_has_moved_is_remembered_for_the_next_attempt(sender: Consumer[OutboxItem], api: BotApi) -> None:
    answered(thread="-5", chat_id=-5, chat_type="group")
    api.refuse("sendMessage", 400, "Bad Request: upgraded", parameters={"migrate_to_chat_id": -100})
    api.hang_up("sendMessage")
    sender.drain()
    assert (OutboxItem.get().state, OutboxItem.get().address["chat_id"]) == (QUEUED, -100)


def test_a_message_that_telegram_refuses_in_every_form_is_given_up(sender: Consumer[OutboxItem], api: BotApi) -> None:
    answered("**Hi.**", chat_type="supergroup", message_id=3, message_thread_id=5)
    for reason in ("can't parse entities", "message thread not found", "message to be replied not found"):
        api.refuse("sendMessage", 400, f"Bad Request: {reason}")
    api.refuse("sendMessage", 400, "Bad Request: not enough rights to send text messages to the chat")
    sender.drain()
    item = OutboxItem.get()
    assert (item.state, item.attempts, api.sent) == (DEAD, 1, [])
    assert "ot enough rights" in str(item.error)


@pytest.mark.parametrize("fault", [(200, b"<html>Sign in</html>"), (502, b"<html>Bad Gateway</html>"), RESET])
def test_a_page_or_half_an_answer_is_worth_another_attempt(
    sender: Consumer[OutboxItem], api: BotApi, fault: Fault
) -> None:
    answered()
    api.meet("sendMessage", fault)
    sender.drain()
    assert (OutboxItem.get().state, OutboxItem.get().attempts) == (QUEUED, 1)
    again()
    sender.drain()
    assert api.texts() == ["Hi."]


def test_where_nobody_listens_the_answer_waits(sender: Consumer[OutboxItem], service_database: DatabaseUrl) -> None:
    answered()
    nowhere = Config.from_env({"TELEGRAM_BOT_TOKEN": TOKEN, "TELEGRAM_API_BASE": f"http://127.0.0.1:{free_port()}"})
    sender.work = partial(deliver, sender=Delivery(nowhere))
    sender.drain()
    item = OutboxItem.get()
    assert (item.state, str(item.error)) == (QUEUED, "NetworkError: httpx.ConnectError: All connection attempts failed")


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
