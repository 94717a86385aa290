"""Updates on their way into the inbox, from a Bot API server on this machine and through the real library."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Coroutine
from datetime import timedelta
from typing import Any, TypeVar

import pytest

from service.bot import duty
from service.bot.polling import Polling
from service.bot.receiver import Receiver
from service.chat.commands import COMMANDS
from service.chat.receive import receive
from service.models import LEASED, Chatbot, Conversation, Duty, InboxItem
from service.models.base import utc_now
from service.telegram.client import Me, make_bot
from tests.support.bot_api import NUMBER, RESET, TOKEN, USERNAME, BotApi, message
from tests.support.chat import make_chatbot
from tests.support.processes import HANGS, eventually

# What differs between the engines is tested with the inbox; this is about the network.
pytestmark = [
    pytest.mark.usefixtures("service_database"),
    pytest.mark.parametrize("service_database", ["sqlite"], indirect=True),
]
GROUP = {"id": -5, "type": "group", "title": "Team"}
T = TypeVar("T")


class Poller:
    """As a freshly started process, but one turn at a time."""

    def __init__(self, api: BotApi, chatbot: int | None = None) -> None:
        self.stop = threading.Event()
        self.polling = Polling(make_bot(TOKEN, api.base), chatbot, "mentions", self.stop)

    def poll(self, rounds: int = 1) -> None:
        async def some_rounds() -> None:
            for _ in range(rounds):
                await self.polling.round(Me(NUMBER, USERNAME), _patiently)

        asyncio.run(some_rounds())


async def _patiently(asked: Coroutine[Any, Any, T], /) -> T | None:
    return await asked


def poll(api: BotApi, rounds: int = 1, chatbot: int | None = None) -> None:
    Poller(api, chatbot).poll(rounds)


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


def test_after_a_quiet_week_updates_with_lower_numbers_are_seen(api: BotApi) -> None:
    make_chatbot()
    api.say(10, "Hello")
    poller = Poller(api)
    poller.poll(rounds=2)
    api.say(3, "Hello again")
    poller.poll()
    assert stored() == ["Hello", "Hello again"]


def test_an_update_that_could_not_be_stored_is_not_confirmed(api: BotApi, monkeypatch: pytest.MonkeyPatch) -> None:
    make_chatbot()
    api.say(10, "Hello")
    api.say(11, "Are you there?")

    def fail_on_the_second(chatbot: Chatbot, **given: Any) -> InboxItem | None:
        if given["content"] == "Are you there?" and not failed:
            failed.append(True)
            raise ConnectionError("the database went away")
        return receive(chatbot, **given)

    failed: list[bool] = []
    monkeypatch.setattr("service.telegram.updates.receive", fail_on_the_second)
    poller = Poller(api)
    with pytest.raises(ConnectionError):
        poller.poll()
    poller.poll()
    assert api.offsets == [0, 11]
    assert stored() == ["Hello", "Are you there?"]


def test_what_is_not_for_the_bot_is_confirmed_and_not_stored(api: BotApi) -> None:
    make_chatbot()
    api.push(10, channel_post=message(3, "News"))
    api.say(11, "Hello everybody", group=GROUP)
    api.say(12, "Hello")
    poll(api, rounds=2)
    assert stored() == ["Hello"]
    assert api.updates == []


def test_an_edit_replaces_the_text_that_waits(api: BotApi) -> None:
    make_chatbot()
    api.say(10, "Helo")
    api.edit(11, 1010, "Hello")
    api.edit(12, 999, "Never seen")
    poll(api)
    assert stored() == ["Hello"]


def test_an_edit_of_what_is_being_answered_is_passed_over(api: BotApi, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="service")
    make_chatbot()
    api.say(10, "Helo")
    poll(api)
    InboxItem.update(state=LEASED).execute()
    api.edit(11, 1010, "Hello")
    poll(api)
    assert stored() == ["Helo"]
    assert "Telegram: update 11 edits what is answered already; passed over" in caplog.text


def test_a_group_that_becomes_a_supergroup_keeps_its_talk(api: BotApi) -> None:
    chatbot = make_chatbot()
    talk = Conversation.create(chatbot=chatbot, title="Talk", channel="telegram", thread="-5")
    api.say(10, "@harbour_bot hi", group=GROUP, entities=[{"type": "mention", "offset": 0, "length": 12}])
    api.say(11, "", group=GROUP, migrate_to_chat_id=-100)
    poll(api)
    assert Conversation.get_by_id(talk.id).thread == "-100"
    assert InboxItem.get().thread == "-100"


def test_a_talk_that_has_begun_in_the_supergroup_already_stays_one_of_its_own(api: BotApi) -> None:
    chatbot = make_chatbot()
    for thread in ("-5", "-100"):
        Conversation.create(chatbot=chatbot, title="Talk", channel="telegram", thread=thread)
    api.say(11, "", group=GROUP, migrate_to_chat_id=-100)
    poll(api)
    assert sorted(talk.thread or "" for talk in Conversation.select()) == ["-100", "-5"]


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
    waiting = Poller(api, chatbot)
    waiting.stop.set()  # so that it does not wait
    waiting.poll(rounds=2)
    assert api.offsets == []
    assert [record.getMessage() for record in caplog.records] == [
        f"Telegram: there is {name}; messages wait at Telegram until it is made in the panel."
    ]


def run_until(condition: Any, api: BotApi) -> None:
    """The loop as the worker runs it, in a thread, until the condition holds."""
    stop = threading.Event()
    bot = make_bot(TOKEN, api.base)
    thread = threading.Thread(target=Receiver(bot, Polling(bot, None, "mentions", stop), "me", stop).run)
    thread.start()
    try:
        eventually(condition)
    finally:
        stop.set()
        thread.join(HANGS)
    assert not thread.is_alive()


@pytest.mark.parametrize("method", ["getMe", "getWebhookInfo", "getUpdates"])
def test_network_faults_are_told_of_once_and_waited_out(
    api: BotApi, caplog: pytest.LogCaptureFixture, method: str
) -> None:
    caplog.set_level(logging.INFO, logger="service")
    make_chatbot()
    api.hang_up(method)
    api.meet(method, RESET)
    api.meet(method, (502, b"<html>Bad Gateway</html>"))
    api.meet(method, (200, b"<html>Sign in to this hotel's network</html>"))
    api.say(10, "Hello")
    run_until(lambda: "works again" in caplog.text, api)
    assert stored() == ["Hello"]
    assert caplog.text.count("stopped by NetworkError") == 1
    assert TOKEN not in caplog.text


@pytest.mark.filterwarnings("ignore::telegram.warnings.PTBDeprecationWarning")  # the library warns of its own use
def test_too_many_questions_are_followed_by_the_pause_that_telegram_asks_for(api: BotApi) -> None:
    make_chatbot()
    api.flood(600, "getUpdates")
    api.say(10, "Hello")
    run_until(lambda: not api.faults["getUpdates"], api)  # and the pause ends with the worker, not after ten minutes
    assert api.offsets == []


@pytest.mark.parametrize(
    ("code", "words"),
    [(401, "Telegram refuses TELEGRAM_BOT_TOKEN"), (409, "somebody else polls with this TELEGRAM_BOT_TOKEN")],
)
def test_what_only_a_person_can_mend_is_explained(
    api: BotApi, caplog: pytest.LogCaptureFixture, code: int, words: str
) -> None:
    make_chatbot()
    api.refuse("getUpdates", code, "Unauthorized")
    run_until(lambda: words in caplog.text, api)
    assert TOKEN not in caplog.text


def test_the_menu_shows_the_commands(api: BotApi) -> None:
    make_chatbot()
    run_until(lambda: api.offsets, api)
    assert {command["command"]: command["description"] for command in api.commands} == COMMANDS


def test_a_menu_that_can_not_be_set_keeps_nobody_from_an_answer(api: BotApi, caplog: pytest.LogCaptureFixture) -> None:
    make_chatbot()
    api.refuse("setMyCommands", 400, "Bad Request: BOT_COMMAND_INVALID")
    api.say(10, "Hello")
    run_until(lambda: stored() == ["Hello"], api)
    assert "the menu of commands was not set: BadRequest" in caplog.text


def test_a_webhook_of_an_earlier_life_is_removed_before_polling(api: BotApi, caplog: pytest.LogCaptureFixture) -> None:
    make_chatbot()
    api.webhook["url"] = "https://bot.example.org/telegram/harbour_bot"
    api.say(10, "Hello")
    run_until(lambda: stored() == ["Hello"], api)
    assert (api.webhook, "removed the webhook of @harbour_bot" in caplog.text) == ({}, True)


def test_a_long_poll_is_ended_when_the_worker_stops(api: BotApi) -> None:
    make_chatbot()
    run_until(lambda: len(api.offsets) > 0, api)


def test_while_another_worker_has_the_duty_nothing_is_asked(api: BotApi, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="service")
    make_chatbot()
    duty.hold("telegram:4242", "somebody else", 60)
    run_until(lambda: "another worker receives" in caplog.text, api)
    assert api.offsets == []


def test_a_worker_that_lost_the_duty_stops_asking_and_takes_it_up_again_later(
    api: BotApi, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.INFO, logger="service")
    monkeypatch.setattr("service.bot.receiver.HOLD", 1.5)
    make_chatbot()

    def lose_and_regain() -> bool:
        if api.offsets and not lost:
            theirs = {"holder": "somebody else", "held_until": utc_now() + timedelta(hours=1)}
            lost.append(Duty.update(theirs).execute())
        _, stands_by, since = caplog.text.partition("another worker receives")
        if stands_by:
            duty.release("telegram:4242", "somebody else")
        return "receiving for @harbour_bot" in since

    lost: list[int] = []
    run_until(lose_and_regain, api)
    assert lost == [1]
