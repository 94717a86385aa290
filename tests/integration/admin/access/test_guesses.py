"""Guessing is slow for whoever guesses, and keeps nobody out of their own account."""

from __future__ import annotations

import logging
from datetime import timedelta

import pytest
from flask import Flask

from service.admin.access import guesses
from service.models import AuditEvent, User
from service.models.base import utc_now
from tests.support.panel import EMAIL, ONE_ENGINE, PASSWORD, Browser, add_user, fields_of, signed_in


@pytest.fixture
def user(app: Flask) -> User:
    return add_user()


def lock() -> None:
    User.update(failed_sign_ins=20, locked_until=utc_now() + timedelta(minutes=15)).execute()


def sign_out(browser: Browser) -> None:
    browser.submit("/chatbots/", to="/sign-out")


@pytest.fixture
def few_tries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guesses, "TRIES_OF_AN_ADDRESS", 3)
    monkeypatch.setattr(guesses, "TRIES_OF_A_BROWSER", 2)


def test_a_stranger_who_locks_an_account_does_not_keep_its_owner_out(app: Flask, user: User) -> None:
    browser = signed_in(app)
    sign_out(browser)
    lock()
    assert Browser(app).sign_in().status_code == 401, "from anywhere else, the right password has to wait"
    assert browser.sign_in().status_code == 303
    assert User.get().failed_sign_ins == 20, "which lifts no lock for the stranger"


@ONE_ENGINE
def test_a_known_browser_has_a_count_of_its_own(app: Flask, user: User, few_tries: None) -> None:
    browser = signed_in(app)
    sign_out(browser)
    statuses = [browser.sign_in(password="wrong").status_code for _ in range(3)]
    assert statuses == [401, 401, 429]
    assert User.get().failed_sign_ins == 0


@ONE_ENGINE
def test_a_browser_is_known_to_those_alone_who_signed_in_with_it(app: Flask, user: User) -> None:
    browser = signed_in(app)
    sign_out(browser)
    eve = add_user("eve@example.org")
    cookie = browser.client.get_cookie(f"slipway_device_{user.id}")
    assert cookie
    for value in (cookie.value, cookie.value[:-1], "", "x.y", "W10.x"):
        browser.client.set_cookie(f"slipway_device_{eve.id}", value)
        for _ in range(guesses.FREE_TRIES):
            browser.sign_in(eve.email, "wrong")
        assert User.get_by_id(eve.id).locked_until, "counted by the account"
        User.update(failed_sign_ins=0, locked_until=None).execute()


@ONE_ENGINE
def test_one_address_gets_so_many_tries_at_all_accounts_together(
    app: Flask, user: User, few_tries: None, caplog: pytest.LogCaptureFixture
) -> None:
    browser = Browser(app)
    for name in ("ann", "bob", "cem"):
        assert browser.sign_in(f"{name}@example.org", "wrong").status_code == 401
    with caplog.at_level(logging.WARNING):
        refused = browser.sign_in()
    assert refused.status_code == 429
    assert "Too many tries came from here. Wait " in refused.text
    assert fields_of(refused.text)["email"] == EMAIL, "what was typed is kept"
    assert "Too many sign-ins from 127.0.0.1." in caplog.text
    assert "TRUSTED_PROXIES" not in caplog.text


@ONE_ENGINE
def test_when_all_seem_to_come_from_the_proxy_the_log_says_which_setting_is_missing(
    app: Flask, user: User, few_tries: None, caplog: pytest.LogCaptureFixture
) -> None:
    browser = Browser(app)
    fields = browser.fields("/sign-in") | {"email": EMAIL, "password": "wrong"}
    for number in range(4):
        headers = {"X-Forwarded-For": f"203.0.113.{number}"}
        browser.client.post("/sign-in", data=fields, headers=headers)
    assert "If that is a proxy of yours, set TRUSTED_PROXIES." in caplog.text


def test_who_signed_in_and_who_guessed_is_in_the_audit_log(app: Flask, user: User) -> None:
    browser = Browser(app)
    browser.sign_in("nobody@example.org", PASSWORD)
    browser.sign_in(password="wrong")
    browser.sign_in()
    lock()
    Browser(app).sign_in(password="wrong during the lock")
    assert [(event.action, event.actor, event.address) for event in AuditEvent.select().order_by(AuditEvent.id)] == [
        ("session.refuse", EMAIL, "127.0.0.1"),
        ("session.begin", EMAIL, "127.0.0.1"),
    ]
    assert User.get().signed_in_at
