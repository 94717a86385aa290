"""While an answer is being written, Telegram shows that somebody types."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from service.bot import typist
from service.bot.claim import claim
from service.bot.inbox import INBOX
from service.bot.lease import Lease
from service.bot.typist import Typist
from service.models import InboxItem
from service.telegram.client import make_bot
from service.url import DatabaseUrl
from tests.support.bot_api import TOKEN, BotApi
from tests.support.chat import make_chatbot, send
from tests.support.panel import ONE_ENGINE
from tests.support.processes import HANGS, eventually
from tests.support.workers import workers

pytestmark = [pytest.mark.usefixtures("service_database"), ONE_ENGINE]


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(typist, "FIRST", 0.05)
    monkeypatch.setattr(typist, "RENEWED", 0.1)
    monkeypatch.setattr(typist, "GLANCE", 0.01)


def in_hand(channel: str = "telegram", **metadata: Any) -> Lease[InboxItem]:
    sent = send(make_chatbot(), "Hello", channel=channel, **{"chat_id": 7} | metadata)
    lease = claim(INBOX, f"the worker of {sent.id}", 30.0)
    assert lease is not None
    return lease


@contextmanager
def typing(api: BotApi, *leases: Lease[InboxItem] | None) -> Iterator[None]:
    stop = threading.Event()
    thread = threading.Thread(target=Typist(make_bot(TOKEN, api.base), lambda: leases, stop).run)
    thread.start()
    try:
        yield
        assert thread.is_alive()
    finally:
        stop.set()
        thread.join(HANGS)


def test_typing_is_shown_in_the_chat_and_its_topic_again_and_again(api: BotApi) -> None:
    with typing(api, None, in_hand(message_thread_id=5)):
        eventually(lambda: len(api.actions) >= 3)
    assert api.actions[0] == {"chat_id": "7", "action": "typing", "message_thread_id": "5"}


@pytest.mark.parametrize("lease", [{"channel": "panel"}, {"aside": "command"}])
def test_for_another_channel_or_a_command_nobody_types(api: BotApi, lease: dict[str, str]) -> None:
    with typing(api, in_hand(**lease), in_hand(chat_id=8)):
        eventually(lambda: len(api.actions) >= 3)
    assert {action["chat_id"] for action in api.actions} == {"8"}


@pytest.mark.filterwarnings("ignore::telegram.warnings.PTBDeprecationWarning")  # the library warns of its own use
def test_whatever_telegram_says_to_it_the_typist_goes_on(api: BotApi) -> None:
    api.hang_up("sendChatAction")
    api.refuse("sendChatAction", 403, "Forbidden: bot was blocked by the user")
    api.meet("sendChatAction", (502, b"<html>"))
    with typing(api, in_hand()):
        eventually(lambda: api.actions)


@pytest.mark.filterwarnings("ignore::telegram.warnings.PTBDeprecationWarning")
def test_the_pause_that_telegram_asks_for_is_kept(api: BotApi) -> None:
    api.flood(60, "sendChatAction")
    with typing(api, in_hand(), in_hand(chat_id=8)):
        eventually(lambda: len(api.actions) >= 3)
    assert {action["chat_id"] for action in api.actions} == {"8"}, "the first was told to wait"


def test_a_worker_process_types_while_the_provider_works(
    service_database: DatabaseUrl, api: BotApi, tmp_path: Path
) -> None:
    make_chatbot(model_provider="gated")
    api.say(10, "Hello", chat=8)
    with workers(service_database, tmp_path) as started:
        started.start(TELEGRAM_BOT_TOKEN=TOKEN, TELEGRAM_API_BASE=api.base)
        eventually(lambda: api.actions)
        assert api.sent == []
        started.open_gate()
        eventually(lambda: api.texts() == ["Answer to Hello"])
    assert api.actions[0] == {"chat_id": "8", "action": "typing"}
