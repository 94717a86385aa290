"""API tokens: made, shown once, revoked; one's own, and for owners everybody's."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from flask import Flask

from service.api import tokens
from service.models import EDITOR, OWNER, VIEWER, ApiToken, AuditEvent, User
from service.models.base import utc_now
from service.url import DatabaseUrl
from tests.support.panel import ONE_ENGINE, Browser, add_user, fields_of, panel, signed_in


@pytest.fixture
def app(service_database: DatabaseUrl) -> Flask:
    return panel(service_database)


@pytest.fixture
def eve(app: Flask) -> User:
    return add_user("eve@example.org", role=EDITOR)


@pytest.fixture
def browser(app: Flask, eve: User) -> Browser:
    return signed_in(app, eve.email)


def make(browser: Browser, **typed: str) -> str:
    """The key that the page shows."""
    page = browser.submit("/tokens/new", **{"name": "Website", "scopes": "read", "days": "30"} | typed)
    found = re.search(r"<code>(slw_[\w-]+)</code>", page.text)
    assert found, page.text
    return found[1]


def test_a_token_is_shown_once_and_opens_what_was_ticked(browser: Browser, eve: User) -> None:
    assert "No token yet" in browser.read("/tokens/")
    key = make(browser)
    token = tokens.check(key)
    assert token
    assert (token.user, token.name, token.scopes) == (eve, "Website", ["read"])
    assert token.expires_at
    assert timedelta(days=29) < token.expires_at - utc_now() <= timedelta(days=30)
    page = browser.read("/tokens/")
    assert key not in page
    assert key[:10] in page
    assert "eve@example.org" not in page.partition("<main")[2], "whose it is needs no saying"


@ONE_ENGINE
def test_a_token_may_be_for_ever_but_says_so(browser: Browser) -> None:
    make(browser, days="0")
    assert ApiToken.get().expires_at is None
    assert 'data-label="Ends">never' in browser.read("/tokens/")


def test_a_revoked_token_opens_nothing(browser: Browser) -> None:
    key = make(browser)
    path = f"/tokens/{ApiToken.get().id}/revoke"
    question = browser.read(path)
    assert "Revoke Website?" in question
    assert "and was never used" in question
    assert tokens.check(key), "asking changes nothing"
    fields = browser.fields(path)
    assert browser.send(path, fields).location == "/tokens/"
    assert "Website is revoked." in browser.read("/tokens/")
    assert tokens.check(key) is None
    assert browser.get(path).location == "/tokens/", "there is nothing left to ask"
    browser.send(path, fields)
    assert "Website was revoked already." in browser.read("/tokens/")
    assert AuditEvent.select().where(AuditEvent.action == "token.revoke").count() == 1


def test_an_owner_sees_and_revokes_everybodys_and_others_their_own(app: Flask, browser: Browser) -> None:
    key, owner = make(browser), signed_in(app)
    add_user("vera@example.org", role=VIEWER)
    vera = signed_in(app, "vera@example.org")
    assert "Website" not in vera.read("/tokens/")
    path = f"/tokens/{ApiToken.get().id}/revoke"
    assert vera.submit("/tokens/new", to=path).status_code == 404
    assert "eve@example.org" in owner.read("/tokens/")
    owner.submit("/tokens/new", to=path)
    assert tokens.check(key) is None
    assert AuditEvent.get(AuditEvent.action == "token.revoke").actor == "dana@example.org"


@ONE_ENGINE
@pytest.mark.parametrize(
    ("role", "offered"),
    [(VIEWER, {"read", "export"}), (EDITOR, {"chat", "read", "write", "export"}), (OWNER, set(tokens.SCOPES))],
)
def test_nobody_is_offered_more_than_they_may_themselves(app: Flask, role: str, offered: set[str]) -> None:
    add_user("ann@example.org", role=role)
    page = signed_in(app, "ann@example.org").read("/tokens/new")
    assert set(re.findall(r'type="checkbox" value="(\w+)"', page)) == offered


@ONE_ENGINE
@pytest.mark.parametrize(
    ("typed", "complaint"),
    [
        ({"name": " "}, "Say what the token is for."),
        ({"scopes": "metrics"}, "is not a valid choice"),
        ({"days": "7"}, "Not a valid choice."),
    ],
)
def test_what_makes_no_token_is_explained_and_kept(browser: Browser, typed: dict[str, str], complaint: str) -> None:
    response = browser.submit("/tokens/new", **{"name": "Website", "scopes": "read", "days": "30"} | typed)
    assert response.status_code == 400
    assert complaint in response.text
    assert fields_of(response.text)["name"] == typed.get("name", "Website").strip()
    assert not ApiToken.select().exists()


@ONE_ENGINE
def test_without_a_tick_there_is_no_token(browser: Browser) -> None:
    fields = browser.fields("/tokens/new") | {"name": "Website", "days": "30"}
    assert "scopes" not in fields
    assert "Tick at least one." in browser.send("/tokens/new", fields).text


@ONE_ENGINE
def test_a_page_that_is_loaded_again_makes_no_second_token(browser: Browser) -> None:
    make(browser)
    response = browser.submit("/tokens/new", name="Website", scopes="read", days="30")
    assert response.status_code == 400
    assert "You have a token of this name already." in response.text


@ONE_ENGINE
def test_the_list_says_what_no_longer_opens_anything(app: Flask, browser: Browser, eve: User) -> None:
    make(browser)
    ApiToken.update(expires_at=utc_now()).execute()
    assert "expired" in browser.read("/tokens/")
    ApiToken.update(expires_at=None).execute()
    owner = signed_in(app)
    User.update(is_active=False).where(User.id == eve.id).execute()
    assert "account disabled" in owner.read("/tokens/")
