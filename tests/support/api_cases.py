"""Every address of the HTTP API, and a request to each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from flask import Flask
from werkzeug.routing import Rule

from service.api.tokens import CHAT, EXPORT, METRICS, READ, WRITE
from tests.support.api import Program, Values

ANYBODY = "anybody"


class Case(NamedTuple):
    """The scope that the address needs, what may be sent there, and the status that it has then."""

    scope: str
    body: Any = None
    status: int = 200
    query: str = ""


# A new endpoint adds its line here.
CASES = {
    "POST /chat": Case(CHAT, {"chatbot_id": "chatbot_id", "message": "Hello", "wait": 0}, 202),
    "POST /chat/stream": Case(CHAT, {"chatbot_id": "chatbot_id", "message": "Hello"}),
    "GET /chat/<int:item_id>": Case(CHAT),
    "GET /chat/<int:item_id>/stream": Case(CHAT),
    "GET /chatbots": Case(READ),
    "POST /chatbots": Case(WRITE, {"title": "New"}, 201),
    "GET /chatbots/<int:chatbot_id>": Case(READ),
    "PATCH /chatbots/<int:chatbot_id>": Case(WRITE, {"title": "Newer"}),
    "GET /chatbots/<int:chatbot_id>/versions": Case(READ),
    "GET /chatbots/<int:chatbot_id>/versions/<int:number>": Case(READ),
    "GET /chatbots/<int:chatbot_id>/versions/<int:number>/differences": Case(READ),
    "POST /chatbots/<int:chatbot_id>/versions/<int:number>/make-current": Case(WRITE, {}),
    "GET /conversations": Case(READ),
    "GET /conversations/<int:conversation_id>": Case(READ),
    "GET /conversations/<int:conversation_id>/messages": Case(READ),
    "GET /conversations/<int:conversation_id>/export": Case(EXPORT),
    "DELETE /conversations/<int:conversation_id>": Case(WRITE),
    "GET /export": Case(EXPORT),
    "GET /search": Case(READ, query="?q=ferry"),
    "GET /personas": Case(READ),
    "POST /personas": Case(WRITE, {"name": "Mate"}, 201),
    "GET /personas/<int:persona_id>": Case(READ),
    "PATCH /personas/<int:persona_id>": Case(WRITE, {"name": "Captain"}),
    "DELETE /personas/<int:persona_id>": Case(WRITE, status=204),
    "GET /tool-calls": Case(READ),
    "GET /dead-letters/<any(inbox, outbox):kind>": Case(READ),
    "POST /dead-letters/<any(inbox, outbox):kind>/<int:letter_id>/retry": Case(WRITE, status=204),
    "DELETE /dead-letters/<any(inbox, outbox):kind>/<int:letter_id>": Case(WRITE, status=204),
    "GET /metrics": Case(METRICS),
    "GET /openapi.json": Case(ANYBODY),
    "GET /docs": Case(ANYBODY),
    "GET /static/<path:filename>": Case(ANYBODY),
}
GUARDED = [name for name, case in CASES.items() if case.scope != ANYBODY]
NAMING = [name for name in GUARDED if "_id>" in name]
SENDING = [name for name in GUARDED if CASES[name].body is not None]


def rules(app: Flask) -> Iterator[tuple[str, Rule]]:
    for rule in app.extensions["slipway_api"].url_map.iter_rules():
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            yield f"{method} {rule.rule}", rule


def ask(caller: Program, name: str, values: Values, **options: Any) -> Any:
    """The request that the case describes, with these numbers in its address and body."""
    method, _, path = name.partition(" ")
    app = caller.client.application.extensions["slipway_api"]
    rule = next(rule for known, rule in rules(caller.client.application) if known == name)
    wanted = {key: (values | {"filename": "docs.css"})[key] for key in rule.arguments}
    with app.test_request_context():
        path = app.url_for(rule.endpoint, **wanted)
    if CASES[name].body is not None and "data" not in options:
        body = {
            key: values.get(value, value) if isinstance(value, str) else value
            for key, value in CASES[name].body.items()
        }
        options.setdefault("json", body)
    return caller.ask(method, path + CASES[name].query, **options)
