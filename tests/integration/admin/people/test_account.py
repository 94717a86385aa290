"""One's own account."""

from __future__ import annotations

import pytest
from flask import Flask

from service.admin.access import guesses
from service.models import VIEWER, AuditEvent, User
from tests.support.panel import EMAIL, ONE_ENGINE, PASSWORD, Browser, add_user, signed_in

NEW = "another long password"
TYPED = {"present": PASSWORD, "password": NEW, "again": NEW}


def actions() -> list[str]:
    return [event.action for event in AuditEvent.select().order_by(AuditEvent.id)]


def change_password(browser: Browser, **typed: str) -> int:
    return browser.submit("/account/", to="/account/password", **TYPED | typed).status_code


def test_a_new_password_ends_every_other_session_and_not_this_one(app: Flask, browser: Browser) -> None:
    other = signed_in(app)
    assert change_password(browser) == 303
    assert "Your password is changed, and every other browser is signed out." in browser.read("/account/")
    assert other.get("/chatbots/").status_code == 303
    assert Browser(app).sign_in().status_code == 401
    assert Browser(app).sign_in(password=NEW).status_code == 303
    assert "account.password" in actions()


@ONE_ENGINE
@pytest.mark.parametrize(
    ("typed", "complaint"),
    [
        ({"present": ""}, "Type your password."),
        ({"present": "wrong"}, "That is not your password."),
        ({"password": "short", "again": "short"}, "At least 10 characters"),
        ({"again": "something else"}, "That is not the same password."),
        ({"password": "x" * 1001, "again": "x" * 1001}, "At most 1,000 characters."),
    ],
)
def test_a_password_is_not_changed_without_the_old_one_and_a_good_new_one(
    app: Flask, browser: Browser, typed: dict[str, str], complaint: str
) -> None:
    response = browser.submit("/account/", to="/account/password", **TYPED | typed)
    assert response.status_code == 400
    assert complaint in response.text
    assert NEW not in response.text, "no password is ever sent back"
    assert Browser(app).sign_in().status_code == 303


@ONE_ENGINE
def test_who_sits_at_an_unlocked_computer_does_not_get_to_guess_for_long(
    browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guesses, "TRIES_OF_A_BROWSER", 2)
    assert [change_password(browser, present="wrong") for _ in range(2)] == [400, 400]
    response = browser.submit("/account/", to="/account/password", **TYPED)
    assert "Too many tries. Wait a few minutes." in response.text


def test_other_browsers_are_signed_out_and_this_one_stays(app: Flask, browser: Browser) -> None:
    other = signed_in(app)
    assert browser.submit("/account/", to="/account/sessions").location == "/account/"
    assert "Every other browser is signed out." in browser.read("/account/")
    assert other.get("/chatbots/").status_code == 303


@ONE_ENGINE
def test_a_name_is_changed_and_needed(browser: Browser) -> None:
    assert browser.submit("/account/", to="/account/name", name=" Dana D. ").location == "/account/"
    assert User.get().name == "Dana D."
    assert browser.submit("/account/", to="/account/name", name=" ").status_code == 400
    assert "account.name" in actions()


@ONE_ENGINE
def test_a_viewer_has_an_account_of_their_own_too(app: Flask) -> None:
    add_user("vera@example.org", role=VIEWER)
    browser = signed_in(app, "vera@example.org")
    assert "viewer" in browser.read("/account/")
    assert change_password(browser) == 303


@ONE_ENGINE
def test_a_password_that_was_replaced_meanwhile_is_not_overwritten(app: Flask, browser: Browser) -> None:
    """Somebody else's form was sent first: the session of this one ends with it."""
    other = signed_in(app)
    fields = browser.fields("/account/") | TYPED
    assert change_password(other) == 303
    assert (browser.send("/account/password", fields).location or "").startswith("/sign-in")
    assert Browser(app).sign_in(EMAIL, NEW).status_code == 303
