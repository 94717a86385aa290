"""A code besides the password: turning it on, being asked for it, and losing the telephone."""

from __future__ import annotations

import re
import time
from datetime import timedelta
from urllib.parse import urlencode

import pyotp
import pytest
from flask import Flask

from service.admin.access import accounts, guesses, session, totp
from service.database import connection
from service.models import AuditEvent, User
from service.models.base import utc_now
from service.url import DatabaseUrl
from tests.support.panel import EMAIL, ONE_ENGINE, PASSWORD, Browser, add_user, at_once, panel, signed_in

SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
KEY = "a key of the tests"  # SECRET_KEY


@pytest.fixture
def user(app: Flask) -> User:
    """Somebody with a second step, whose next code is fresh."""
    return add_user(totp_secret=SECRET)


def code_now(secret: str = SECRET) -> str:
    return pyotp.TOTP(secret).now()


def half_way(app: Flask, path: str = "/sign-in") -> Browser:
    browser = Browser(app)
    assert (browser.sign_in(path=path).location or "").startswith("/sign-in/code")
    return browser


def test_the_password_alone_opens_nothing_and_the_code_opens_the_panel(app: Flask, user: User) -> None:
    browser = half_way(app)
    assert browser.get("/chatbots/").status_code == 303
    assert browser.submit("/sign-in/code", code=code_now()).location == "/"
    assert browser.get("/chatbots/").status_code == 200


@ONE_ENGINE
def test_one_goes_on_to_the_page_that_was_wanted(app: Flask, user: User) -> None:
    browser = Browser(app)
    response = browser.sign_in(path="/sign-in?" + urlencode({"next": "/conversations/?chatbot=3"}))
    assert browser.submit(response.location, code=code_now()).location == "/conversations/?chatbot=3"


def test_a_code_works_once(app: Flask, user: User) -> None:
    code = code_now()
    assert half_way(app).submit("/sign-in/code", code=code).status_code == 303
    again = half_way(app).submit("/sign-in/code", code=code)
    assert again.status_code == 401
    assert "That code is not right, or was used before." in again.text


def test_of_two_who_use_a_code_at_once_one_gets_in(app: Flask, user: User) -> None:
    code, verdicts = code_now(), []

    def use() -> None:
        with connection():
            verdicts.append(totp.use(user, code, KEY))

    at_once(4, use)
    assert sorted(verdicts) == [False, False, False, True]


def test_guessing_codes_locks_like_guessing_passwords(app: Flask, user: User) -> None:
    browser = half_way(app)
    wrong = "000000" if code_now() != "000000" else "111111"
    statuses = [browser.submit("/sign-in/code", code=wrong).status_code for _ in range(guesses.FREE_TRIES)]
    assert set(statuses) == {401}
    assert User.get().locked_until
    assert browser.submit("/sign-in/code", code=code_now()).status_code == 401, "also for the right one"
    refusals = AuditEvent.select().where(AuditEvent.action == "session.refuse", AuditEvent.subject == "a wrong code")
    assert refusals.count() == guesses.FREE_TRIES - 1, "the password was one of the tries"


@ONE_ENGINE
def test_too_many_codes_from_one_address_have_to_wait(app: Flask, user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    browser = half_way(app)
    monkeypatch.setattr(guesses, "TRIES_OF_AN_ADDRESS", 1)
    assert browser.submit("/sign-in/code", code=code_now()).status_code == 429


@ONE_ENGINE
def test_the_way_between_password_and_code_is_short(app: Flask, user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    browser = half_way(app)
    fields = browser.fields("/sign-in/code")
    later = time.time() + session.HALF_WAY
    monkeypatch.setattr(time, "time", lambda: later)
    assert browser.send("/sign-in/code", fields | {"code": code_now()}).location == "/sign-in"
    assert "That took longer than five minutes." in browser.read("/sign-in")


@ONE_ENGINE
@pytest.mark.parametrize("change", [{"password_hash": "-"}, {"is_active": False}, {"session_epoch": 1}])
def test_what_ends_a_session_ends_one_that_is_half_way(app: Flask, user: User, change: dict[str, object]) -> None:
    browser = half_way(app)
    fields = browser.fields("/sign-in/code")
    User.update(change).execute()
    assert browser.send("/sign-in/code", fields | {"code": code_now()}).location == "/sign-in"


@ONE_ENGINE
def test_without_a_password_there_is_nobody_to_ask_for_a_code(app: Flask, user: User) -> None:
    assert Browser(app).get("/sign-in/code").location == "/sign-in"
    browser = Browser(app)
    assert browser.submit("/sign-in", to="/sign-in/code", code=code_now()).location == "/sign-in"


def secret_on(page: str) -> str:
    found = re.search(r"<code>([A-Z2-7]{32})</code>", page)
    assert found
    return found[1]


def test_it_is_turned_on_with_a_code_and_the_password_and_ends_other_sessions(app: Flask) -> None:
    browser, other = signed_in(app), signed_in(app)
    page = browser.read("/account/second-step")
    secret = secret_on(page)
    assert secret_on(browser.read("/account/second-step")) == secret, "a page that is loaded again spoils nothing"
    assert User.get().totp_secret is None
    code = code_now(secret)
    assert browser.submit("/account/second-step", code=code, present=PASSWORD).location == "/account/"
    assert "The second step is on." in browser.read("/account/")
    assert secret not in str(User.get().totp_secret), "it is encrypted"
    assert totp.secret_of(User.get(), KEY) == secret
    assert other.get("/chatbots/").status_code == 303
    assert half_way(app).submit("/sign-in/code", code=code).status_code == 401, "the code that proved it is used up"


def test_a_secret_from_before_they_were_encrypted_goes_on_and_is_encrypted_by_its_next_use(
    app: Flask, user: User
) -> None:
    assert half_way(app).submit("/sign-in/code", code=code_now()).location == "/"
    assert SECRET not in str(User.get().totp_secret)
    User.update(totp_step=None).execute()
    assert half_way(app).submit("/sign-in/code", code=code_now()).location == "/", "and goes on after that"


@ONE_ENGINE
def test_a_wrong_code_encrypts_nothing(app: Flask, user: User) -> None:
    assert half_way(app).submit("/sign-in/code", code="abcdef").status_code == 401
    assert User.get().totp_secret == SECRET


@ONE_ENGINE
def test_after_the_secret_key_is_lost_a_sentence_says_who_helps_and_nobody_is_locked_out(
    service_database: DatabaseUrl, app: Flask, user: User
) -> None:
    half_way(app).submit("/sign-in/code", code=code_now())
    browser = half_way(panel(service_database, SECRET_KEY="another key"))
    for _ in range(guesses.FREE_TRIES + 1):
        response = browser.submit("/sign-in/code", code=code_now())
        assert response.status_code == 503
    assert "the panel has another SECRET_KEY than when you turned on the second step" in response.text
    assert f"<code>python -m service.admin reset-totp {EMAIL}</code>" in response.text
    assert User.get().locked_until is None
    with connection():
        accounts.reset_totp(EMAIL)
    assert Browser(panel(service_database, SECRET_KEY="another key")).sign_in().location == "/"


@ONE_ENGINE
def test_where_each_start_makes_another_key_a_secret_stays_as_it_is(service_database: DatabaseUrl) -> None:
    """Else the next start would lock everybody out."""
    add_user(totp_secret=SECRET)
    assert half_way(panel(service_database, SECRET_KEY="")).submit("/sign-in/code", code=code_now()).location == "/"
    assert User.get().totp_secret == SECRET


@ONE_ENGINE
@pytest.mark.parametrize(
    ("typed", "complaint"),
    [
        ({"code": ""}, "Type the six digits."),
        ({"code": "abcdef"}, "That code is not right."),
        ({"present": ""}, "Type your password."),
        ({"present": "wrong"}, "That is not your password."),
    ],
)
def test_without_proof_it_stays_off(app: Flask, typed: dict[str, str], complaint: str) -> None:
    browser = signed_in(app)
    code = code_now(secret_on(browser.read("/account/second-step")))
    response = browser.submit("/account/second-step", **{"code": code, "present": PASSWORD} | typed)
    assert response.status_code == 400
    assert complaint in response.text
    assert User.get().totp_secret is None


@ONE_ENGINE
def test_it_is_turned_off_with_the_password(app: Flask, user: User) -> None:
    browser = half_way(app)
    browser.submit("/sign-in/code", code=code_now())
    path = "/account/second-step"
    assert "It is on" in browser.read(path)
    assert browser.submit(path, to=f"{path}/off", present="wrong").status_code == 400
    assert browser.submit(path, to=f"{path}/off", present=PASSWORD).location == "/account/"
    assert Browser(app).sign_in().location == "/"


@ONE_ENGINE
def test_an_owner_turns_it_off_for_somebody_who_lost_their_telephone(app: Flask) -> None:
    eve = add_user("eve@example.org", totp_secret=SECRET)
    owner, page = signed_in(app), f"/people/{eve.id}"
    assert "until they turn it on anew" in owner.read(f"{page}/second-step")
    owner.submit(f"{page}/second-step")
    assert "eve signs in with the password alone." in owner.read(page)
    assert Browser(app).sign_in(eve.email).location == "/"


@ONE_ENGINE
def test_a_locked_account_may_not_try_a_code_either(app: Flask, user: User) -> None:
    User.update(failed_sign_ins=9, locked_until=utc_now() + timedelta(minutes=1)).execute()
    with app.app_context():
        assert not accounts.take_code(user, code_now(), guesses.Visit())
    assert User.get().totp_step is None, "the code is not used up"
    assert user.email == EMAIL
