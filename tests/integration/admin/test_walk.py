"""Every address of the panel, visited as nobody, as each role, and as somebody to whom the record does not belong."""

from __future__ import annotations

import re

import pytest
from flask import Flask

from service.admin.parts.errors import FORM_EXPIRED
from service.admin.schema import verification
from service.migrate.proving.verify import Verification
from service.models import EDITOR, OWNER, VIEWER, User
from service.url import ROOT, DatabaseUrl
from tests.support.panel import ONE_ENGINE, Browser, add_user, panel, signed_in
from tests.support.routes import ANYBODY, HALF_WAY, ROUTES, Route, furnish, routes, thread_of

RANKS = (ANYBODY, VIEWER, EDITOR, OWNER)


@pytest.fixture
def app(service_database: DatabaseUrl) -> Flask:
    return panel(service_database, ROOT / "migrations")


@pytest.fixture(autouse=True)
def _verified_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A verification takes a second, has tests of its own, and is passed by here again and again."""
    clean = Verification("slipway", "001_initial", compared=1, drift=(), checks=(), repair=())
    monkeypatch.setattr(verification, "verified", lambda *_: clean)


def visit(browser: Browser, route: Route) -> str:
    """What became of it, in a word or two. Nothing changes: a form that is sent without its token is refused, and that
    refusal comes only to those whose role would do."""
    response = browser.client.open(route.path, method=route.method)
    if (response.location or "").startswith("/sign-in"):
        return "asked to sign in"
    if response.status_code == 403:
        return "not allowed"
    if route.method != "GET" and response.status_code == 400 and FORM_EXPIRED[0] in response.text:
        return "let in"
    return "let in" if response.status_code < 400 else response.status


def expected(role: str, least: str) -> str:
    """What becomes of a visit in that role to an address that is open to `least` and those above."""
    if least == HALF_WAY:
        return "asked to sign in"
    if RANKS.index(role) >= RANKS.index(least):
        return "let in"
    return "asked to sign in" if role == ANYBODY else "not allowed"


@ONE_ENGINE
def test_every_address_has_a_line_in_the_table(app: Flask) -> None:
    assert {route.name for route in routes(app, furnish(add_user()))} == set(ROUTES)


@ONE_ENGINE
def test_nobody_gets_beyond_the_sign_in(app: Flask) -> None:
    found = {route.name: visit(Browser(app), route) for route in routes(app, furnish(add_user()))}
    assert found == {name: expected(ANYBODY, least) for name, least in ROUTES.items()}


@ONE_ENGINE
@pytest.mark.parametrize("role", [VIEWER, EDITOR, OWNER])
def test_a_role_opens_what_it_should_and_nothing_else(app: Flask, role: str) -> None:
    user = add_user("ada@example.org", role=role)
    browser = signed_in(app, user.email)
    found = {route.name: visit(browser, route) for route in routes(app, furnish(user))}
    assert found == {name: expected(role, least) for name, least in ROUTES.items()}


@ONE_ENGINE
def test_what_belongs_to_others_is_as_good_as_not_there(app: Flask) -> None:
    app.config["WTF_CSRF_ENABLED"] = False  # else the missing token would be what is refused
    eve = add_user("eve@example.org", role=EDITOR)
    values = furnish(add_user()) | {"thread": thread_of(eve)}
    found, browser = {}, signed_in(app, eve.email)
    for route in routes(app, values):
        if route.names_a_record and ROUTES[route.name] in (VIEWER, EDITOR):
            response = browser.client.open(route.path, method=route.method)
            found[route.name] = response.status_code
    assert found
    assert set(found.values()) == {404}, found


@ONE_ENGINE
def test_no_page_has_an_inline_script_or_style_or_asks_another_site(app: Flask) -> None:
    browser = signed_in(app)
    values = furnish(User.get())
    read = []
    for path in [*(route.path for route in routes(app, values) if route.method == "GET"), "/nope"]:
        answer = browser.get(path)
        read += [answer.text] if answer.mimetype == "text/html" else []
        answer.close()
    assert len(read) > 10
    for page in read:
        for forbidden in ("<style", " style=", "<script>", " onclick=", 'src="http', 'href="http'):
            assert forbidden not in page


@ONE_ENGINE
@pytest.mark.parametrize("role", [VIEWER, EDITOR])
@pytest.mark.parametrize("has_team", [True, False])
def test_no_page_leads_anybody_to_one_that_refuses_them(app: Flask, role: str, has_team: bool) -> None:
    user = add_user("ada@example.org", role=role)
    browser = signed_in(app, user.email)
    found: set[str] = set()
    for route in routes(app, furnish(user if has_team else add_user())):
        if route.method == "GET" and not route.path.endswith("/live"):
            response = browser.get(route.path)
            is_page = response.status_code == 200 and response.mimetype == "text/html"
            found |= set(re.findall(r'(?:href|action)="(/[^"?#]*)', response.text)) if is_page else set()
    assert len(found) > 10
    refused = [path for path in sorted(found) if browser.get(path, follow_redirects=True).status_code == 403]
    assert refused == []


@ONE_ENGINE
@pytest.mark.parametrize(
    ("role", "words"), [(VIEWER, "Ask an owner to put you into one"), (EDITOR, "Make one, or ask an owner")]
)
def test_who_sees_no_chatbot_is_told_what_to_do_about_it(app: Flask, role: str, words: str) -> None:
    browser = signed_in(app, add_user("ada@example.org", role=role).email)
    for path in ("/", "/chatbots/"):
        assert words in browser.read(path)
        assert ("New chatbot" in browser.read(path)) == (role == EDITOR)
