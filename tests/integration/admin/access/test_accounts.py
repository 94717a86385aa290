"""Users from the command line: the first way in, and the way back in."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask import Flask

from service.admin.__main__ import main
from service.models import AuditEvent, User
from service.models.base import utc_now
from service.url import DatabaseUrl
from tests.support.panel import EMAIL, ONE_ENGINE, PASSWORD, Browser, add_user, panel, signed_in
from tests.support.processes import as_text


@pytest.fixture
def app(service_database: DatabaseUrl, monkeypatch: pytest.MonkeyPatch) -> Flask:
    monkeypatch.setenv("DATABASE_URL", as_text(service_database))
    return panel(service_database)


def told(capsys: pytest.CaptureFixture[str]) -> str:
    """The password on stdout, where nothing else stands in its line."""
    return capsys.readouterr().out.rpartition("only this once: ")[2].strip()


def test_a_user_is_added_and_signs_in(app: Flask, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["add-user", " Ann@Example.com "]) == 0
    assert Browser(app).sign_in("ann@example.com", told(capsys)).status_code == 303


def test_a_lost_password_is_replaced_and_every_session_and_lock_ends(
    app: Flask, capsys: pytest.CaptureFixture[str]
) -> None:
    browser = signed_in(app)
    User.update(failed_sign_ins=9, locked_until=utc_now() + timedelta(minutes=15)).execute()
    assert main(["set-password", EMAIL]) == 0
    password = told(capsys)
    assert browser.get("/chatbots/").status_code == 303
    assert Browser(app).sign_in(EMAIL, PASSWORD).status_code == 401
    assert Browser(app).sign_in(EMAIL, password).status_code == 303


@ONE_ENGINE
@pytest.mark.parametrize(("words", "role"), [((), "owner"), (("--role", "viewer"), "viewer")])
def test_a_user_has_the_role_that_was_asked_for(app: Flask, words: tuple[str, ...], role: str) -> None:
    assert main(["add-user", EMAIL, *words]) == 0
    assert User.get().role == role
    event = AuditEvent.get()
    assert (event.actor, event.action, event.subject) == ("the command line", "person.add", EMAIL)


def test_who_lost_their_telephone_signs_in_with_the_password_again(
    app: Flask, capsys: pytest.CaptureFixture[str]
) -> None:
    add_user(totp_secret="A" * 32)
    assert main(["reset-totp", EMAIL]) == 0
    assert capsys.readouterr().out == f"Panel user {EMAIL} signs in with the password alone.\n"
    assert Browser(app).sign_in().location == "/"
    assert main(["reset-totp", EMAIL]) == 1
    assert "has no second step" in capsys.readouterr().err


def test_a_user_of_that_name_stays_as_they_are(app: Flask, capsys: pytest.CaptureFixture[str]) -> None:
    add_user()
    assert main(["add-user", EMAIL.upper()]) == 1
    assert "There is a user dana@example.org already; `set-password` gives" in capsys.readouterr().err
    assert Browser(app).sign_in().status_code == 303


@ONE_ENGINE
@pytest.mark.parametrize("email", ["ann", "@", "ann@", "@example.com", f"{'a' * 254}@example.com"])
def test_what_is_no_address_is_refused(email: str, app: Flask, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["add-user", email]) == 1
    assert "is not an email address" in capsys.readouterr().err
    assert not User.select().exists()


@ONE_ENGINE
def test_an_unknown_user_is_answered_with_those_that_there_are(app: Flask, capsys: pytest.CaptureFixture[str]) -> None:
    add_user()
    assert main(["set-password", "dan@example.org"]) == 1
    assert capsys.readouterr().err == "There is no user dan@example.org. Who may sign in: dana@example.org.\n"


def test_without_a_schema_it_says_where_to_look(
    database_url: DatabaseUrl, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATABASE_URL", as_text(database_url))
    assert main(["set-password", EMAIL]) == 2
    said = capsys.readouterr()
    assert "see `migrate status`" in said.err
    assert said.out == ""


def test_a_bad_setting_is_named(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("DATABASE_URL", "mysql://db/bot")
    assert main(["add-user", EMAIL]) == 2
    assert capsys.readouterr().err.startswith("DATABASE_URL is not a usable database URL")
