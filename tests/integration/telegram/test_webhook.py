"""Telegram brings its updates to the panel: who is let in, what is stored, and how the worker arranges it."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from werkzeug.serving import make_server
from werkzeug.test import TestResponse

from service.admin.webhook import LIMIT
from service.bot.receiver import Receiver
from service.bot.webhook import Webhook
from service.models import Chatbot, InboxItem
from service.telegram.client import make_bot
from service.telegram.secret import HEADER, secret_of
from service.url import DatabaseUrl
from tests.support.bot_api import TOKEN, BotApi, message
from tests.support.chat import make_chatbot
from tests.support.panel import ONE_ENGINE, at_once, panel
from tests.support.processes import HANGS, eventually
from tests.support.workers import workers

PATH = "/telegram/harbour_bot"
PUBLIC = "https://bot.example.org"
SECRET = {HEADER: secret_of(TOKEN)}


def served(url: DatabaseUrl, **more: str) -> Flask:
    return panel(url, **{"TELEGRAM_BOT_TOKEN": TOKEN, "TELEGRAM_WEBHOOK_URL": PUBLIC} | more)


@pytest.fixture
def app(service_database: DatabaseUrl) -> Flask:
    return served(service_database)


def update(number: int = 10, text: str | None = "Hello", **more: Any) -> dict[str, Any]:
    return {"update_id": number, "message": message(number + 1000, text, **more)}


def bring(app: Flask, body: object, headers: dict[str, str] = SECRET) -> TestResponse:
    return app.test_client().post(PATH, json=body, headers=headers)


def stored() -> list[str]:
    return [item.content for item in InboxItem.select().order_by(InboxItem.id)]


def test_an_update_is_stored_before_it_is_confirmed_and_once(app: Flask) -> None:
    make_chatbot()
    for _ in range(2):
        response = bring(app, update(10, "Hello"))
        assert (response.status_code, response.text) == (200, "")
    assert stored() == ["Hello"]
    assert InboxItem.get().external_id == "4242/10"


def test_an_update_that_is_brought_many_times_at_once_is_stored_once(app: Flask) -> None:
    make_chatbot()
    at_once(4, lambda: bring(app, update()))
    assert stored() == ["Hello"]


@ONE_ENGINE
@pytest.mark.parametrize("guess", [None, "", TOKEN, secret_of(TOKEN)[:-1], secret_of("4243:other"), "ä"])
def test_without_the_secret_nothing_is_stored(app: Flask, guess: str | None) -> None:
    make_chatbot()
    assert bring(app, update(), {HEADER: guess} if guess is not None else {}).status_code == 403
    assert stored() == []


def test_the_secret_is_of_the_kind_that_telegram_allows_and_does_not_tell_the_token() -> None:
    assert secret_of(TOKEN) != secret_of(TOKEN + "x")
    assert secret_of(TOKEN).isalnum()
    assert len(secret_of(TOKEN)) == 64


@ONE_ENGINE
@pytest.mark.parametrize("body", [None, 7, "x", [], {}, {"update_id": "10"}, {"update_id": -1}, {"update_id": 2**63}])
def test_what_is_no_update_is_refused(app: Flask, body: object) -> None:
    make_chatbot()
    assert bring(app, body).status_code == 400


@ONE_ENGINE
def test_a_body_that_is_not_json_is_refused(app: Flask) -> None:
    for body in (b"", b"{", b"\xff", b"text=Hello"):
        response = app.test_client().post(PATH, data=body, headers=SECRET | {"Content-Type": "application/json"})
        assert response.status_code == 400
    assert app.test_client().post(PATH, data={"update_id": 1}, headers=SECRET).status_code == 400


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
_fields = st.sampled_from(["message_id", "date", "chat", "from", "text", "photo", "entities", "reply_to_message"])


@ONE_ENGINE
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(_fields, _json, max_size=3))
def test_an_update_with_anything_in_it_is_stored_or_refused_but_no_error(app: Flask, wrong: dict[str, Any]) -> None:
    if not Chatbot.select().exists():
        make_chatbot()
    assert bring(app, update() | {"message": message(3, "Hello") | wrong}).status_code in (200, 400)


@ONE_ENGINE
def test_a_body_beyond_the_limit_is_refused_unread(app: Flask) -> None:
    make_chatbot()
    assert bring(app, update(text="x" * LIMIT)).status_code == 413
    assert stored() == []


@ONE_ENGINE
def test_groups_and_commands_are_read_as_when_polling(app: Flask) -> None:
    make_chatbot()
    group = {"id": -100, "type": "supergroup", "title": "Team"}
    assert bring(app, update(10, "Hello everybody", group=group)).status_code == 200
    assert bring(app, update(11, "/help@harbour_bot", group=group)).status_code == 200
    assert [(item.content, item.metadata["aside"]) for item in InboxItem.select()] == [("/help@harbour_bot", "command")]


@ONE_ENGINE
def test_without_a_chatbot_telegram_keeps_the_update(app: Flask) -> None:
    assert bring(app, update()).status_code == 503
    make_chatbot()
    assert bring(app, update()).status_code == 200


@ONE_ENGINE
def test_while_the_database_is_gone_telegram_keeps_the_update(
    service_database: DatabaseUrl, caplog: pytest.LogCaptureFixture
) -> None:
    app = served(service_database)
    Path(service_database.name).unlink()
    Path(service_database.name).mkdir()
    assert bring(app, update(text="A private question")).status_code == 503
    assert "private" not in caplog.text


@ONE_ENGINE
@pytest.mark.parametrize("setting", ["TELEGRAM_BOT_TOKEN", "TELEGRAM_WEBHOOK_URL"])
def test_the_address_exists_only_where_a_webhook_is_wanted(service_database: DatabaseUrl, setting: str) -> None:
    assert bring(served(service_database, **{setting: ""}), update()).status_code == 404


@ONE_ENGINE
def test_the_log_names_the_update_and_neither_its_text_nor_the_secret(
    app: Flask, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="service")
    make_chatbot()
    bring(app, update(text="A private question"))
    bring(app, update(), {HEADER: "guessed"})
    bring(app, {})
    assert f"Telegram: update 10 stored as inbox {InboxItem.get().id}" in caplog.text
    assert "Telegram: a call from 127.0.0.1 without the secret was refused." in caplog.text
    for private in ("private", "guessed", secret_of(TOKEN), TOKEN):
        assert private not in caplog.text


@contextmanager
def receiving(api: BotApi, check_seconds: float = 60.0) -> Iterator[None]:
    """The worker's loop in a thread."""
    stop, bot = threading.Event(), make_bot(TOKEN, api.base)
    thread = threading.Thread(target=Receiver(bot, Webhook(bot, PUBLIC, check_seconds), "me", stop).run)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(HANGS)
    assert not thread.is_alive()


@ONE_ENGINE
@pytest.mark.usefixtures("service_database")
def test_the_worker_tells_telegram_where_and_with_which_secret(api: BotApi) -> None:
    with receiving(api):
        eventually(lambda: api.commands)
    assert api.webhook["url"] == "https://bot.example.org/telegram/harbour_bot"
    assert api.webhook["secret_token"] == secret_of(TOKEN)
    assert json.loads(api.webhook["allowed_updates"]) == ["message", "edited_message"]
    assert api.webhook["max_connections"] == "1"
    assert api.offsets == []


@ONE_ENGINE
@pytest.mark.usefixtures("service_database")
def test_the_worker_sets_the_webhook_again_when_somebody_changed_it(api: BotApi) -> None:
    with receiving(api, check_seconds=0.05):
        eventually(lambda: api.webhook)
        api.webhook = {}
        eventually(lambda: api.webhook)


@ONE_ENGINE
@pytest.mark.usefixtures("service_database")
def test_the_worker_tells_once_what_keeps_telegram_from_the_panel(
    api: BotApi, caplog: pytest.LogCaptureFixture
) -> None:
    api.trouble = {"last_error_date": 1, "last_error_message": "Connection refused", "pending_update_count": 3}
    with receiving(api, check_seconds=0.05):
        eventually(lambda: api.asked["getWebhookInfo"] > 3)
    told = f"Telegram can't reach {PUBLIC}{PATH}: Connection refused; 3 updates wait there."
    assert caplog.text.count(told) == 1


@ONE_ENGINE
@pytest.mark.usefixtures("service_database")
def test_the_worker_explains_what_telegram_does_not_like_about_the_address(
    api: BotApi, caplog: pytest.LogCaptureFixture
) -> None:
    why = "Bad Request: bad webhook: An HTTPS URL must be provided for webhook"
    api.refuse("setWebhook", 400, why)
    with receiving(api):
        eventually(lambda: "look at TELEGRAM_WEBHOOK_URL" in caplog.text)
    assert "an https url must be provided" in caplog.text


@ONE_ENGINE
def test_a_message_that_telegram_brings_to_the_panel_is_answered_by_a_worker_process(
    service_database: DatabaseUrl, api: BotApi, tmp_path: Path
) -> None:
    make_chatbot()
    app = served(service_database)
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        with workers(service_database, tmp_path) as started:
            address = f"http://127.0.0.1:{server.server_port}"
            telegram = {"TELEGRAM_BOT_TOKEN": TOKEN, "TELEGRAM_API_BASE": api.base, "TELEGRAM_WEBHOOK_URL": address}
            for _ in range(2):
                started.start(**telegram)
            eventually(lambda: api.webhook)
            headers = {HEADER: api.webhook["secret_token"]}
            assert httpx.post(api.webhook["url"], json=update(), headers=headers, timeout=HANGS).status_code == 200
            eventually(lambda: api.sent)
            assert "“Hello”" in api.texts()[0]
            eventually(lambda: "another worker receives" in started.log)
            assert api.asked["setWebhook"] == 1
    finally:
        server.shutdown()
        thread.join()
