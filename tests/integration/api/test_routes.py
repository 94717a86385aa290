"""What holds for every address of the HTTP API, also for those that are still to be written."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask import Flask

from service.api import tokens
from service.models import EDITOR, VIEWER, ApiToken, User
from service.models.base import utc_now
from tests.support.api import Program, error_of, furnish, program, stored
from tests.support.api_cases import CASES, GUARDED, NAMING, ask, rules
from tests.support.panel import ONE_ENGINE, add_user

every_guarded = pytest.mark.parametrize("name", GUARDED)


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


@ONE_ENGINE
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


@ONE_ENGINE
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
