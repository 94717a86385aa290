"""The HTTP API without a network: a program with a token, and a small world for it to ask about."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from flask import Flask
from werkzeug.test import TestResponse

from service.api import PREFIX, tokens
from service.chat.providers import built_in
from service.chat.respond import respond
from service.database import proxy
from service.models import (
    DEAD,
    DONE,
    TABLES,
    ApiToken,
    IdempotencyKey,
    InboxItem,
    Persona,
    RateLimit,
    ToolLog,
    User,
)
from service.models.base import utc_now
from tests.support.chat import make_chatbot, reloaded, send
from tests.support.panel import add_user

Values = dict[str, Any]


class Program:
    """Sends a token with everything, and expects JSON."""

    def __init__(self, app: Flask, key: str) -> None:
        self.client, self.key = app.test_client(), key

    def ask(self, method: str, path: str, *, headers: dict[str, str] | None = None, **options: Any) -> TestResponse:
        sent = ({"Authorization": f"Bearer {self.key}"} if self.key else {}) | (headers or {})
        return self.client.open(f"{PREFIX}{path}", method=method, headers=sent, **options)

    def get(self, path: str, **options: Any) -> TestResponse:
        return self.ask("GET", path, **options)

    def post(self, path: str, body: Any = None, **options: Any) -> TestResponse:
        return self.ask("POST", path, json=body, **options)

    def patch(self, path: str, body: Any, **options: Any) -> TestResponse:
        return self.ask("PATCH", path, json=body, **options)

    def delete(self, path: str, **options: Any) -> TestResponse:
        return self.ask("DELETE", path, **options)


def program(app: Flask, user: User | None = None, scopes: Iterable[str] = tokens.SCOPES) -> Program:
    """With a token of the user, who is added if need be."""
    user = user or User.get_or_none() or add_user()
    return Program(app, tokens.issue(user, "Test", scopes).key)


def error_of(response: TestResponse) -> Any:
    """The code of the error; every error has the one shape."""
    assert response.mimetype == "application/json", f"{response.status}: {response.text[:200]}"
    body = response.get_json()
    assert set(body) == {"error"}, body
    assert set(body["error"]) == {"code", "message", "details"}
    assert body["error"]["message"].endswith((".", "?"))
    return body["error"]["code"]


def furnish(user: User) -> Values:
    """One of everything that an address can name, the user's own; the names are those in the addresses."""
    chatbot = make_chatbot(user=user, title="Harbour desk")
    dead = send(chatbot, "Lost", channel="api", thread=f"dead of {user.id}")
    _settle(dead, DEAD)
    item = send(chatbot, "When does the ferry leave?", channel="api", thread=f"of {user.id}", user_id=user.id)
    reply = respond(item, built_in(), lambda: _settle(item, DONE))
    ToolLog.create(session=reply.conversation, message=reply, server="files", tool="read")
    persona = Persona.create(user=user, name="Pirate")
    return {
        "chatbot_id": chatbot.id,
        "conversation_id": reply.conversation_id,
        "number": 1,  # of a version
        "persona_id": persona.id,
        "item_id": item.id,
        "kind": "inbox",
        "letter_id": dead.id,
    }


def _settle(item: InboxItem, state: str) -> None:
    InboxItem.update(state=state, finished_at=utc_now(), error="Its reason").where(InboxItem.id == item.id).execute()


def answered(item: InboxItem) -> InboxItem:
    """Do what a worker does."""
    respond(item, built_in(), lambda: _settle(item, DONE))
    return reloaded(item)


def stored() -> dict[str, int]:
    """How many rows each table has; without what every request leaves."""
    counted = [table for table in TABLES if table not in (RateLimit, IdempotencyKey, ApiToken)]
    return {table._meta.table_name: table.select().count() for table in counted}


@contextmanager
def worker() -> Iterator[None]:
    """Answers what comes in, in a thread of its own."""
    stop = threading.Event()

    def work() -> None:
        while not stop.wait(0.02):
            with proxy.obj.connection_context():
                for item in InboxItem.select().where(InboxItem.state == "queued").order_by(InboxItem.id):
                    answered(item)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
