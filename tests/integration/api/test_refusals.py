"""What the HTTP API refuses: bodies, queries, too many requests; and what it says when something breaks."""

from __future__ import annotations

import logging

import pytest
from flask import Flask

from service.api import BODY_LIMIT, tokens
from service.api.guard import REFUSALS
from service.chat import versions
from service.database import proxy
from service.models import EDITOR, CreatorUser
from service.url import DatabaseUrl
from tests.support.api import Program, error_of, furnish, program, stored
from tests.support.api_cases import SENDING, ask
from tests.support.panel import ONE_ENGINE, add_user, panel, signed_in
from tests.support.postgresql import Server


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
def test_who_mistypes_a_name_is_told_which_there_are(app: Flask) -> None:
    asked = {"chatbot_id": 1, "message": "Hello", "stream": True}
    [found] = program(app).post("/chat", asked).get_json()["error"]["details"]
    assert found["field"] == "body.stream"
    assert found["problem"].startswith("There is no such field here; there are chatbot_id, message, ")


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
