"""What holds for every address of the HTTP API, also for those that are still to be written."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, NamedTuple

import pytest
from flask import Flask
from werkzeug.routing import Rule

from service.api import BODY_LIMIT, tokens
from service.api.guard import REFUSALS
from service.api.tokens import CHAT, EXPORT, METRICS, READ, WRITE
from service.chat import versions
from service.database import proxy
from service.models import EDITOR, VIEWER, ApiToken, CreatorUser, User
from service.models.base import utc_now
from service.url import DatabaseUrl
from tests.support.api import Program, Values, error_of, furnish, program, stored
from tests.support.panel import ONE_ENGINE, add_user, panel, signed_in
from tests.support.postgresql import Server

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
every_guarded = pytest.mark.parametrize("name", GUARDED)


@pytest.fixture
def app(service_database: DatabaseUrl) -> Flask:
    return panel(service_database)


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


def test_every_address_has_a_case(app: Flask) -> None:
    assert {name for name, _rule in rules(app)} == set(CASES)


@ONE_ENGINE
def test_no_address_sends_anybody_elsewhere_or_answers_other_sites(app: Flask) -> None:
    caller = program(app)
    for path in ("/chatbots/", "/chatbots//1", "/", "", "/nope"):
        response = caller.get(path, headers={"Origin": "https://elsewhere.example"})
        assert response.status_code == 404
        assert error_of(response) == "not_found"
        assert not [name for name, _value in response.headers if name.startswith("Access-Control")]
    for method in ("PUT", "OPTIONS", "TRACE"):
        response = caller.ask(method, "/chatbots")
        assert (response.status_code, error_of(response)) == (405, "method_not_allowed")
        assert response.headers["Allow"] == "GET, HEAD, POST"


@pytest.mark.parametrize("name", CASES)
def test_every_address_does_what_it_says_and_sets_no_cookie(app: Flask, name: str) -> None:
    user = add_user()
    response = ask(program(app, user), name, furnish(user))
    assert response.status_code == CASES[name].status, response.text
    assert "Set-Cookie" not in response.headers
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    response.close()


def test_a_token_needs_the_scope_of_the_address_and_no_other(app: Flask) -> None:
    user = add_user()
    for name in GUARDED:
        values, scope = furnish(user), CASES[name].scope
        lacking = ask(program(app, user, set(tokens.SCOPES) - {scope}), name, values)
        assert (lacking.status_code, error_of(lacking)) == (403, "forbidden"), name
        assert scope in lacking.get_json()["error"]["message"]
        enough = ask(program(app, user, [scope]), name, values)
        assert enough.status_code == CASES[name].status, name
        enough.close()


@ONE_ENGINE
def test_without_a_good_token_nobody_learns_or_leaves_anything(app: Flask) -> None:
    user = add_user()
    values, before = furnish(user), stored()
    revoked, expired = program(app, user), program(app, user)
    ApiToken.update(revoked_at=utc_now()).where(ApiToken.id == 1).execute()
    ApiToken.update(expires_at=utc_now() - timedelta(seconds=1)).where(ApiToken.id == 2).execute()
    before["audit_log"] += 2  # the two that were issued
    for caller in (Program(app, ""), Program(app, "slw_wrong"), Program(app, "ünfug " * 9), revoked, expired):
        for name in GUARDED:
            response = ask(caller, name, values, environ_base={"REMOTE_ADDR": name})
            assert (response.status_code, error_of(response)) == (401, "unauthorized"), name
            assert response.headers["WWW-Authenticate"].startswith("Bearer")
    assert stored() == before


@ONE_ENGINE
@pytest.mark.parametrize("header", ["", "Bearer", "Basic {key}", "{key}", "Bearer {key} x", "bearer\t{key}"])
def test_a_token_in_another_shape_is_none(app: Flask, header: str) -> None:
    key = program(app).key
    response = Program(app, "").get("/chatbots", headers={"Authorization": header.format(key=key)})
    assert error_of(response) == "unauthorized"


@pytest.mark.parametrize("role", [EDITOR, VIEWER])
def test_a_token_may_no_more_than_its_user(app: Flask, role: str) -> None:
    user = add_user()
    caller = program(app, user)
    User.update(role=role).execute()
    user.role = role
    for name in GUARDED:
        response = ask(caller, name, furnish(user))
        is_refused = CASES[name].scope not in tokens.offered(user)
        assert response.status_code == (403 if is_refused else CASES[name].status), name
        response.close()


@pytest.mark.parametrize("role", [EDITOR, VIEWER])
def test_what_belongs_to_somebody_else_is_as_good_as_not_there(app: Flask, role: str) -> None:
    theirs = furnish(add_user("eve@example.org"))
    user = add_user(role=role)
    caller, mine = program(app, user, tokens.offered(user)), furnish(user)
    before = stored()
    for name in NAMING:
        if CASES[name].scope not in tokens.offered(user):
            continue
        response = ask(caller, name, theirs)
        assert (response.status_code, error_of(response)) == (404, "not_found"), name
        assert "ferry" not in response.text
    assert stored() == before
    for path in ("/chatbots", "/conversations", "/search?q=ferry", "/personas", "/tool-calls", "/dead-letters/inbox"):
        assert len(caller.get(path).get_json()["items"]) == (2 if path.startswith("/search") else 1), path
    assert len(caller.get("/export").get_json()) == 1
    for filtered in ("/conversations", "/search?q=ferry", "/export", "/tool-calls"):
        word = "conversation_id" if "tool" in filtered else "chatbot_id"
        joint = "&" if "?" in filtered else "?"
        assert error_of(caller.get(f"{filtered}{joint}{word}={theirs[word]}")) == "not_found"
        assert caller.get(f"{filtered}{joint}{word}={mine[word]}").status_code == 200


def test_an_owner_sees_all_chatbots_but_nobody_elses_personas(app: Flask) -> None:
    eve = add_user("eve@example.org")
    caller = program(app, add_user())
    for name in NAMING:
        response = ask(caller, name, furnish(eve))
        assert response.status_code == (404 if "persona" in name else CASES[name].status), name
        response.close()


@pytest.mark.parametrize("number", [0, 987, 2**31, 2**63, 10**30])
def test_an_unknown_number_is_not_found(app: Flask, number: int) -> None:
    user = add_user()
    caller, values = program(app, user), furnish(user)
    for name in NAMING:
        unknown = {key: number if isinstance(value, int) else value for key, value in values.items()}
        assert error_of(ask(caller, name, unknown)) == "not_found" if "/<int" in name else True, name


@ONE_ENGINE
def test_a_body_that_can_not_be_used_is_refused_and_nothing_is_stored(app: Flask) -> None:
    user = add_user()
    caller, values = program(app, user), furnish(user)
    before = stored()
    plain = {"content_type": "text/plain"}
    as_json = {"content_type": "application/json"}
    for name in SENDING:
        for status, code, options in (
            (413, "too_large", {"data": b'{"a": "' + b"x" * BODY_LIMIT + b'"}', **as_json}),
            (415, "not_json", {"data": b"{}", **plain}),
            (415, "not_json", {"data": {"message": "a form"}}),
            (400, "malformed", {"data": b"", **as_json}),
            (400, "malformed", {"data": b"{", **as_json}),
            (400, "malformed", {"data": b"\xff\xfe\x00", **as_json}),
            (400, "malformed", {"data": b'{"config": NaN}', **as_json}),
            (400, "malformed", {"data": b'{"title": "a", "title": "b"}', **as_json}),
            (400, "malformed", {"data": b"[" * 200_000, **as_json}),
            (400, "malformed", {"data": b'{"chatbot_id": ' + b"9" * 5_000 + b"}", **as_json}),
            (422, "invalid", {"data": b"[]", **as_json}),
            (422, "invalid", {"data": b"null", **as_json}),
            (422, "invalid", {"json": {"unknown": 1}}),
        ):
            response = ask(caller, name, values, **options)
            assert (response.status_code, error_of(response)) == (status, code), (name, options)
    assert stored() == before


@ONE_ENGINE
def test_a_query_that_can_not_be_used_is_refused(app: Flask) -> None:
    user = add_user()
    caller = program(app, user)
    furnish(user)
    for query in (
        "cursor=x",
        "cursor=-1",
        "cursor=1.0",
        "cursor=",
        "limit=0",
        "limit=101",
        "limit=1&limit=2",
        "nope=1",
    ):
        response = caller.get(f"/conversations?{query}")
        assert (response.status_code, error_of(response)) == (422, "invalid"), query
    for query in (
        "since=yesterday",
        "since=2026-11-21",
        "since=0",
        "channel=%00",
        f"thread={'x' * 200}",
        "chatbot_id=0",
    ):
        assert error_of(caller.get(f"/conversations?{query}")) == "invalid", query
    assert error_of(caller.get("/chatbots/1?x=1")) == "invalid"


def test_a_token_asks_so_often_and_is_told_how_often_it_still_may(
    service_database: DatabaseUrl, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.limits.time.time", lambda: 1_800_000_000.0)  # the window does not end meanwhile
    app = panel(service_database, API_RATE_LIMIT="3")
    caller, other = program(app), program(app)
    left = [caller.get("/chatbots").headers["RateLimit-Remaining"] for _ in range(3)]
    assert left == ["2", "1", "0"]
    refused = caller.get("/chatbots")
    assert (refused.status_code, error_of(refused)) == (429, "rate_limited")
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    assert refused.headers["RateLimit-Limit"] == "3"
    assert other.get("/chatbots").status_code == 200


@ONE_ENGINE
def test_who_guesses_tokens_has_to_wait_but_a_good_one_still_opens(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.limits.time.time", lambda: 1_800_000_000.0)
    guesser, caller = Program(app, "slw_guess"), program(app)
    statuses = [guesser.get("/chatbots").status_code for _ in range(REFUSALS + 1)]
    assert statuses == [401] * REFUSALS + [429]
    assert caller.get("/chatbots").status_code == 200
    elsewhere = guesser.get("/chatbots", environ_base={"REMOTE_ADDR": "192.0.2.9"})
    assert elsewhere.status_code == 401


@ONE_ENGINE
def test_a_mistake_of_ours_says_nothing_of_what_was_sent(
    app: Flask, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_given: object) -> None:
        raise ZeroDivisionError("somebody's secret")

    monkeypatch.setattr(versions, "current", broken)
    response = program(app).post("/chatbots", {"title": "New"})
    assert (response.status_code, error_of(response)) == (500, "internal")
    assert "secret" not in response.text + caplog.text
    assert "POST /chatbots failed with ZeroDivisionError at" in caplog.text


@pytest.mark.parametrize("service_database", ["postgresql"], indirect=True)
def test_without_its_database_the_api_says_so_and_recovers(
    app: Flask, postgresql_server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    caller = program(app)
    proxy.obj.close()
    postgresql_server.stop()
    with caplog.at_level(logging.ERROR):
        response = caller.get("/chatbots")
    assert (response.status_code, error_of(response)) == (503, "unavailable")
    assert "GET /chatbots failed with OperationalError" in caplog.text
    assert caller.get("/openapi.json").status_code == 200
    postgresql_server.start()
    assert caller.get("/chatbots").status_code == 200


@ONE_ENGINE
def test_no_connection_outlives_its_request(app: Flask) -> None:
    caller = program(app)
    proxy.obj.close()
    caller.get("/chatbots")
    assert proxy.obj.is_closed()


@ONE_ENGINE
def test_a_session_of_the_panel_opens_nothing_here(app: Flask) -> None:
    browser = signed_in(app)
    assert browser.get("/api/chatbots").status_code == 401
    assert browser.get("/chatbots/").status_code == 200


@ONE_ENGINE
def test_somebody_who_leaves_a_creator_sees_its_chatbots_no_more(app: Flask) -> None:
    user = add_user(role=EDITOR)
    caller, values = program(app, user, tokens.offered(user)), furnish(user)
    CreatorUser.delete().execute()
    assert error_of(caller.get(f"/chatbots/{values['chatbot_id']}")) == "not_found"
