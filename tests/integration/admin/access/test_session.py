from __future__ import annotations

import math
import time
from datetime import datetime, timedelta
from urllib.parse import urlencode

import pytest
from flask import Flask
from werkzeug.security import generate_password_hash

from service.admin.access import accounts, guesses
from service.admin.access.guesses import Visit
from service.database import connection
from service.models import User
from service.models.base import utc_now
from service.url import DatabaseUrl
from tests.support.panel import (
    EMAIL,
    ONE_ENGINE,
    PASSWORD,
    PASSWORD_HASH,
    Browser,
    add_user,
    at_once,
    fields_of,
    panel,
    signed_in,
)


@pytest.fixture
def user(app: Flask) -> User:
    return add_user()


def locked_for(now: datetime) -> float:
    """Seconds that the user's lock still lasts; 0 without one."""
    until = User.get().locked_until
    return float((until - now).total_seconds()) if until else 0.0


def expire_the_lock() -> None:
    User.update(locked_until=utc_now() - timedelta(seconds=1)).execute()


def test_email_and_password_open_the_panel(app: Flask, user: User) -> None:
    browser = Browser(app)
    assert browser.sign_in(f" {EMAIL.upper()} ").location == "/"
    assert EMAIL in browser.read("/chatbots/")


@ONE_ENGINE
@pytest.mark.parametrize(
    ("email", "password"),
    [(EMAIL, "wrong"), ("nobody@example.org", PASSWORD), ("closed@example.org", PASSWORD)],
)
def test_every_refusal_reads_the_same(app: Flask, user: User, email: str, password: str) -> None:
    add_user("closed@example.org", is_active=False)
    browser = Browser(app)
    response = browser.sign_in(email, password)
    assert response.status_code == 401
    assert "That email and password don&#39;t open this panel." in response.text
    assert fields_of(response.text)["email"] == email, "what was typed is kept"
    assert browser.get("/chatbots/").status_code == 303


@ONE_ENGINE
def test_an_unknown_account_takes_as_long_to_refuse_as_a_known_one(app: Flask) -> None:
    real = generate_password_hash(PASSWORD)
    assert accounts.DECOY.split("$")[0] == real.split("$")[0], "the decoy costs what a real password costs"
    add_user(password_hash=real)

    def seconds(email: str) -> float:
        began = time.thread_time()  # of this thread alone: the machine may have more to do
        with app.app_context():
            assert accounts.authenticate(email, "wrong", Visit()) is None
        return time.thread_time() - began

    known, unknown = (min(seconds(email) for _ in range(3)) for email in (EMAIL, "nobody@example.org"))
    assert 0.5 < known / unknown < 2


def test_five_wrong_passwords_lock_the_account_even_for_the_right_one(app: Flask, user: User) -> None:
    browser = Browser(app)
    for _ in range(guesses.FREE_TRIES):
        assert locked_for(utc_now()) == 0
        browser.sign_in(password="wrong")
    assert 25 < locked_for(utc_now()) <= 30
    assert browser.sign_in().status_code == 401
    expire_the_lock()
    assert browser.sign_in().status_code == 303
    assert (User.get().failed_sign_ins, User.get().locked_until) == (0, None)


def test_the_lock_grows_with_each_further_wrong_password_up_to_a_quarter_of_an_hour(app: Flask, user: User) -> None:
    User.update(failed_sign_ins=guesses.FREE_TRIES).execute()
    grown = []
    for _ in range(7):
        expire_the_lock()
        assert accounts.authenticate(EMAIL, "wrong", Visit()) is None
        grown.append(math.ceil(locked_for(utc_now()) / 60))
    assert grown == [1, 2, 4, 8, 15, 15, 15]


def test_a_try_during_the_lock_is_not_counted(app: Flask, user: User) -> None:
    User.update(failed_sign_ins=7, locked_until=utc_now() + timedelta(minutes=1)).execute()
    assert accounts.authenticate(EMAIL, PASSWORD, Visit()) is None
    assert User.get().failed_sign_ins == 7


def test_guessing_in_parallel_gives_no_more_tries(app: Flask, user: User) -> None:
    def guess() -> None:
        with connection(), app.app_context():
            accounts.authenticate(EMAIL, "wrong", Visit())

    at_once(12, guess)
    assert User.get().failed_sign_ins == guesses.FREE_TRIES


@ONE_ENGINE
@pytest.mark.parametrize(
    ("wanted", "reached"),
    [
        ("/migrations/", "/migrations/"),
        ("/conversations/?chatbot=3", "/conversations/?chatbot=3"),
        ("https://evil.example/", "/"),
        ("//evil.example/", "/"),
        ("/\\evil.example/", "/"),
    ],
)
def test_after_the_sign_in_one_goes_on_to_the_page_that_was_wanted(
    app: Flask, user: User, wanted: str, reached: str
) -> None:
    browser = Browser(app)
    path = "/sign-in?" + urlencode({"next": wanted})
    assert browser.sign_in(path=path).location == reached
    assert browser.get(path).location == reached, "the same for somebody who is signed in already"


@ONE_ENGINE
def test_a_page_that_needs_a_sign_in_leads_back_to_itself(app: Flask, user: User) -> None:
    browser = Browser(app)
    location = browser.get("/conversations/?chatbot=3").location or ""
    assert browser.sign_in(path=location).location == "/conversations/?chatbot=3"


@ONE_ENGINE
def test_signing_in_rotates_the_session(app: Flask, user: User) -> None:
    browser = Browser(app)
    before = browser.fields("/sign-in")
    with browser.client.session_transaction() as session:
        session["planted"] = "by somebody else"
    assert browser.send("/sign-in", before | {"email": EMAIL, "password": PASSWORD}).status_code == 303
    with browser.client.session_transaction() as session:
        assert "planted" not in session
    assert browser.send("/sign-out", before).status_code == 400, "the token of before is worth nothing"


@ONE_ENGINE
def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(service_database: DatabaseUrl) -> None:
    add_user()
    cookie = Browser(panel(service_database)).sign_in().headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert "Secure" not in cookie
    safe = Browser(panel(service_database, SECURE_COOKIES="true"))
    token = safe.fields("/sign-in")["csrf_token"]
    assert token
    assert "Secure" in safe.get("/sign-in").headers["Set-Cookie"]


@ONE_ENGINE
def test_signing_out_takes_a_post_with_its_token(app: Flask, user: User) -> None:
    browser = signed_in(app)
    assert browser.get("/sign-out").status_code == 405
    assert browser.send("/sign-out", {}).status_code == 400
    assert browser.submit("/chatbots/", to="/sign-out").location == "/sign-in"
    assert "You are signed out." in browser.read("/sign-in")
    assert browser.get("/chatbots/").status_code == 303


@ONE_ENGINE
def test_a_form_without_its_token_says_that_it_expired(app: Flask, user: User) -> None:
    response = Browser(app).send("/sign-in", {"email": EMAIL, "password": PASSWORD})
    assert response.status_code == 400
    assert "This form has expired." in response.text


@ONE_ENGINE
@pytest.mark.parametrize("change", [{"password_hash": f"{PASSWORD_HASH}0"}, {"is_active": False}])
def test_a_new_password_or_a_closed_account_ends_every_session(
    app: Flask, user: User, change: dict[str, object]
) -> None:
    browser = signed_in(app)
    User.update(**change).execute()
    assert browser.get("/chatbots/").status_code == 303


def test_a_forged_session_opens_nothing(app: Flask, user: User) -> None:
    for forged in ("1.", "1.abc", "x.y", f"{2**70}.z", "."):
        browser = Browser(app)
        with browser.client.session_transaction() as session:
            session["_user_id"] = forged
        assert browser.get("/chatbots/").status_code == 303


@ONE_ENGINE
def test_without_any_user_the_page_says_how_to_make_one(app: Flask) -> None:
    browser = Browser(app)
    assert "docker compose exec admin-panel migrate seed" in browser.read("/sign-in")
    add_user()
    assert "migrate seed" not in browser.read("/sign-in")
