"""API tokens: made, shown once, revoked; one's own, and for owners everybody's."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from flask import Flask

from service.admin.people.tokens import PAGE_SIZE
from service.api import tokens
from service.models import EDITOR, OWNER, VIEWER, ApiToken, AuditEvent, User
from service.models.base import utc_now
from tests.support.panel import ONE_ENGINE, Browser, add_user, fields_of, signed_in


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


def issue_many(user: User, count: int) -> None:
    """Every seventh of them revoked."""
    rows = [
        {
            "user": user,
            "name": f"Program {number:03}",
            "prefix": f"slw_{number:06}",
            "token_hash": f"{user.id}-{number}",
        }
        | {"revoked_at": None if number % 7 else utc_now()}
        for number in range(count)
    ]
    ApiToken.insert_many(rows).execute()


def listed(page: str) -> list[str]:
    return re.findall(r'<th scope="row" class="wrap">([^<]+) ', page)


def test_paging_shows_every_token_once_and_the_revoked_at_the_end(browser: Browser, eve: User) -> None:
    issue_many(eve, 2 * PAGE_SIZE + 3)
    seen, path = [], "/tokens/"
    while path:
        page = browser.read(path)
        seen.append(listed(page))
        further = re.search(r'rel="next" href="([^"]+)"', page)
        path = further[1] if further else ""
    assert [len(page) for page in seen] == [PAGE_SIZE, PAGE_SIZE, 3]
    ordered = ApiToken.select().order_by(ApiToken.revoked_at.is_null(False), ApiToken.id.desc())
    assert [name for page in seen for name in page] == [token.name for token in ordered]


def test_a_token_is_found_by_what_is_known_of_it_and_only_by_whom_it_is_for(app: Flask, eve: User) -> None:
    issue_many(eve, PAGE_SIZE + 1)
    owner = signed_in(app)
    for known in ("program+012", "slw_000012", "12"):
        assert "Program 012" in listed(owner.read(f"/tokens/?q={known}"))
    assert len(listed(owner.read("/tokens/?q=EVE@"))) == PAGE_SIZE
    page = owner.read("/tokens/?q=lagoon")
    assert "No token like that" in page
    stranger = signed_in(app, add_user("mallory@example.org", role=EDITOR).email)
    assert listed(stranger.read("/tokens/?q=program")) == []
    assert listed(stranger.read(f"/tokens/?after={ApiToken.get().id}")) == []


@ONE_ENGINE
@pytest.mark.parametrize("query", ["after=99999999999999999999", "after=-1", "after=x", "q=%00", "q=" + "x" * 5000])
def test_the_list_of_tokens_is_not_upset_by_what_an_address_holds(browser: Browser, query: str) -> None:
    make(browser)
    assert "API tokens" in browser.read(f"/tokens/?{query}")
