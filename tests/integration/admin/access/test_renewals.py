"""A forgotten password: an owner hands over a link, and whoever opens it chooses a new one."""

from __future__ import annotations

import re
import time

import pytest
from flask import Flask

from service.admin.access import renewals
from service.models import EDITOR, AuditEvent, User
from tests.support.panel import EMAIL, ONE_ENGINE, Browser, add_user, signed_in

NEW = "another long password"
TYPED = {"password": NEW, "again": NEW}


@pytest.fixture
def eve(app: Flask) -> User:
    return add_user("eve@example.org", role=EDITOR)


def link_to(owner: Browser, user: User) -> str:
    page = f"/people/{user.id}"
    found = re.search(r">http://localhost(/new-password/[^<]+)<", owner.submit(page, to=f"{page}/password-link").text)
    assert found, "the page shows no link"
    return found[1]


def test_a_new_password_is_chosen_and_the_old_one_and_its_sessions_end(app: Flask, owner: Browser, eve: User) -> None:
    signed = signed_in(app, eve.email)
    link = link_to(owner, eve)
    assert signed.get("/chatbots/").status_code == 200, "nothing happens before somebody uses it"
    browser = Browser(app)
    assert eve.email in browser.read(link)
    assert browser.submit(link, **TYPED).location == "/sign-in"
    assert signed.get("/chatbots/").status_code == 303
    assert Browser(app).sign_in(eve.email).status_code == 401
    assert browser.sign_in(eve.email, NEW).location == "/"
    actions = {(event.actor, event.action) for event in AuditEvent.select()}
    assert {(EMAIL, "person.password_link"), (eve.email, "account.password")} <= actions


def test_it_works_once(app: Flask, owner: Browser, eve: User) -> None:
    link, late = link_to(owner, eve), Browser(app)
    fields = late.fields(link) | {"password": "something else entirely", "again": "something else entirely"}
    Browser(app).submit(link, **TYPED)
    for refused in (late.send(link, fields), late.get(link)):
        assert refused.status_code == 404
        assert "This link opens nothing any more." in refused.text
    assert Browser(app).sign_in(eve.email, NEW).status_code == 303


@ONE_ENGINE
def test_it_lives_for_a_day(app: Flask, owner: Browser, eve: User, monkeypatch: pytest.MonkeyPatch) -> None:
    link, now = link_to(owner, eve), time.time()
    age = renewals.LIFETIME.total_seconds()
    monkeypatch.setattr(time, "time", lambda: now + age - 60)
    assert Browser(app).get(link).status_code == 200
    monkeypatch.setattr(time, "time", lambda: now + age + 60)
    assert Browser(app).get(link).status_code == 404


@ONE_ENGINE
@pytest.mark.parametrize("change", [{"is_active": False}, {"session_epoch": 1}, {"password_hash": "-"}])
def test_what_ends_a_session_ends_a_link(app: Flask, owner: Browser, eve: User, change: dict[str, object]) -> None:
    link = link_to(owner, eve)
    User.update(change).where(User.id == eve.id).execute()
    assert Browser(app).get(link).status_code == 404


@ONE_ENGINE
def test_the_second_step_is_asked_for_as_before(app: Flask, owner: Browser) -> None:
    eve = add_user("eve@example.org", totp_secret="A" * 32)
    browser = Browser(app)
    browser.submit(link_to(owner, eve), **TYPED)
    assert browser.sign_in(eve.email, NEW).location == "/sign-in/code"


@ONE_ENGINE
@pytest.mark.parametrize(
    ("typed", "complaint"),
    [
        ({"password": "short", "again": "short"}, "At least 10 characters"),
        ({"again": "something else"}, "That is not the same password."),
    ],
)
def test_a_bad_password_is_refused_and_the_link_goes_on_working(
    app: Flask, owner: Browser, eve: User, typed: dict[str, str], complaint: str
) -> None:
    link = link_to(owner, eve)
    refused = Browser(app).submit(link, **TYPED | typed)
    assert refused.status_code == 400
    assert complaint in refused.text
    assert Browser(app).submit(link, **TYPED).status_code == 303


@ONE_ENGINE
def test_there_is_no_link_for_oneself_or_for_a_closed_account(owner: Browser) -> None:
    closed = add_user("closed@example.org", is_active=False)
    for user in (User.get(User.email == EMAIL), closed):
        assert owner.submit("/people/invite", to=f"/people/{user.id}/password-link").location == f"/people/{user.id}"
        assert "Such a link is for others, who may sign in." in owner.read(f"/people/{user.id}")


@ONE_ENGINE
def test_a_session_cookie_or_a_made_up_link_is_no_link(app: Flask, eve: User) -> None:
    browser = signed_in(app, eve.email)
    cookie = browser.client.get_cookie("slipway_session")
    assert cookie
    for forged in (cookie.value, "x", "x.y.z", "a" * 3000):
        assert Browser(app).get(f"/new-password/{forged}").status_code == 404
