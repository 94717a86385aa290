"""What was typed outlives a session that ended, a token that is stale, and a database that fails."""

from __future__ import annotations

import re
from typing import Any

import pyotp
import pytest
from flask import Flask
from werkzeug.test import TestResponse

from service.admin.access import totp
from service.admin.parts.kept import AGAIN
from service.admin.parts.kept import typed as typed_form
from service.database import proxy
from service.models import AuditEvent, Chatbot, ChatbotVersion, Persona, User
from tests.support.chat import make_chatbot
from tests.support.panel import EMAIL, ONE_ENGINE, PASSWORD, Browser, fields_of
from tests.support.routes import Route, furnish, routes

pytestmark = ONE_ENGINE
OURS = {"Origin": "http://localhost"}
PROMPT = 'Be brief.\r\nNever say “<b>”, "so" or \\n.\r\n'
TYPED = {
    "name": "Ärger & Söhne",
    "title": "Ferry desk",
    "content": "Is it <late>?",
    "email": "typed@example.org",
    "value:name": "Ärger & Söhne",
}


@pytest.fixture
def path(browser: Browser) -> str:
    return f"/chatbots/{make_chatbot().id}/edit"


def send(browser: Browser, path: str, fields: dict[str, str], origin: dict[str, str] | None = None) -> TestResponse:
    return browser.client.post(path, data=fields, headers=OURS if origin is None else origin)


def sign_in(browser: Browser, ended: TestResponse, **typed: str) -> TestResponse:
    """By the form of the page, wherever it is sent to."""
    return send(browser, target(ended), fields_of(ended.text) | (typed or {"email": EMAIL, "password": PASSWORD}))


def target(page: TestResponse) -> str:
    found = re.search(r'<form method="post" novalidate action="(.+?)"', page.text)
    assert found, "the page has no form to sign in with"
    return found[1]


def brought(browser: Browser, ended: TestResponse, signed: TestResponse) -> TestResponse:
    """What a browser does on 307: the same form, to where it is led."""
    assert signed.status_code == 307, signed.text
    return send(browser, signed.location, fields_of(ended.text) | {"email": EMAIL, "password": PASSWORD})


def end_the_sessions() -> None:
    User.update(session_epoch=User.session_epoch + 1).execute()


def test_a_session_that_ends_in_the_middle_of_a_form_costs_nothing_that_was_typed(browser: Browser, path: str) -> None:
    typed = browser.fields(path) | {"system_prompt": PROMPT, "notes": "The tide."}
    end_the_sessions()
    ended = send(browser, path, typed)
    assert ended.status_code == 401
    assert "Your session has ended." in ended.text
    shown = brought(browser, ended, sign_in(browser, ended))
    assert AGAIN in shown.text
    assert PASSWORD not in shown.text
    assert "<h1>Edit " in shown.text, "the form itself is there, with its labels"
    assert "look at the fields marked" not in shown.text
    assert ChatbotVersion.select().count() == 1, "nothing was sent past its token"
    assert send(browser, path, fields_of(shown.text)).location == path.removesuffix("/edit")
    assert Chatbot.get().system_prompt == PROMPT.replace("\r\n", "\n")
    assert ChatbotVersion.select().order_by(ChatbotVersion.id.desc()).get().notes == "The tide."


def test_a_wrong_password_on_the_way_loses_nothing(browser: Browser, path: str) -> None:
    end_the_sessions()
    ended = send(browser, path, {"title": "Ferry desk"})
    for wrong in ({"email": EMAIL, "password": "wrong"}, {"email": "", "password": ""}):
        ended = sign_in(browser, ended, **wrong)
        assert ended.status_code in (400, 401)
    assert 'value="Ferry desk"' in brought(browser, ended, sign_in(browser, ended)).text


def test_the_second_step_is_on_the_way_too(browser: Browser, path: str) -> None:
    secret = totp.new_secret()
    User.update(totp_secret=secret).execute()
    end_the_sessions()
    ended = send(browser, path, {"title": "Ferry desk"})
    asked = sign_in(browser, ended)
    assert "The second step" in asked.text
    asked = sign_in(browser, asked, code="000000")
    signed = sign_in(browser, asked, code=pyotp.TOTP(secret).now())
    assert 'value="Ferry desk"' in brought(browser, asked, signed).text


@pytest.mark.parametrize("is_signed_in", [True, False])
def test_another_tab_that_is_faster_takes_nothing_away(browser: Browser, path: str, *, is_signed_in: bool) -> None:
    end_the_sessions()
    ended = send(browser, path, {"title": "Ferry desk"})
    browser.sign_in()
    if not is_signed_in:
        browser.submit("/", to="/sign-out")
        ended = sign_in(browser, ended)
        assert ended.status_code == 401
    assert 'value="Ferry desk"' in brought(browser, ended, sign_in(browser, ended)).text


def test_every_form_that_is_shown_again_does_nothing_and_has_what_was_typed(app: Flask, browser: Browser) -> None:
    """One whose view forgot to ask its form would be sent past its token."""
    marked = [route for route in routes(app, furnish(User.get())) if is_marked(app, route)]
    assert len(marked) > 12
    before = everything()
    for route in marked:
        shown = send(browser, route.path, TYPED | {"csrf_token": "stale"})
        assert shown.status_code == 400, f"{route.name} answered {shown.status}"
        assert AGAIN in shown.text, route.name
        there = fields_of(shown.text)
        lost = {name: there[name] for name in TYPED if name in there and there[name] != TYPED[name]}
        assert not lost, route.name
    assert everything() == before


def test_what_was_chosen_is_chosen_again(browser: Browser) -> None:
    values = furnish(User.get())
    person = f"/people/{values['user_id']}"
    assert '<option selected value="viewer">' in send(browser, f"{person}/role", {"role": "viewer"}).text
    ticked = send(browser, f"{person}/teams", {"creators": str(values["creator_id"]), "was": "7"}).text
    assert re.search(rf'<input checked[^>]+ value="{values["creator_id"]}"', ticked)
    assert fields_of(ticked)["was"] == "7", "what the page had said stays what the change is compared with"


def is_marked(app: Flask, route: Route) -> bool:
    endpoint, _values = app.url_map.bind("localhost").match(route.path, route.method)
    return route.method == "POST" and hasattr(app.view_functions[endpoint], "shown_again")


def everything() -> dict[str, list[Any]]:
    tables = (table for table in proxy.obj.get_tables() if table != "migratehistory")
    return {table: proxy.obj.execute_sql(f"SELECT * FROM {table}").fetchall() for table in tables}


@pytest.mark.parametrize("origin", [{}, {"Origin": "https://evil.example"}, {"Origin": "null"}])
def test_nothing_that_a_strange_page_sends_is_offered_to_be_sent_again(
    browser: Browser, path: str, origin: dict[str, str]
) -> None:
    for typed in ({"title": "Strange words"}, {"kept": '[["title", "Strange words"]]'}):
        refused = send(browser, path, typed, origin)
        assert refused.status_code == 400
        assert "Strange words" not in refused.text
    end_the_sessions()
    assert send(browser, path, typed, origin).status_code == 303


@pytest.mark.parametrize("text", ["{", "[1]", '[["title"]]', "null", "[" * 5000])
def test_what_never_was_a_form_is_shown_to_nobody(browser: Browser, path: str, text: str) -> None:
    assert "This form has expired." in send(browser, path, {"kept": text}).text


def test_a_form_with_a_password_is_not_kept(browser: Browser) -> None:
    typed = {"present": PASSWORD, "password": "another long password", "again": "another long password"}
    for answer in (send(browser, "/account/password", typed), send(browser, "/sign-in", {"email": EMAIL, **typed})):
        assert answer.status_code == 400
        assert "long password" not in answer.text
    end_the_sessions()
    assert send(browser, "/account/password", typed).status_code == 303


def test_a_button_without_a_field_leads_to_the_sign_in_as_before(browser: Browser, path: str) -> None:
    end_the_sessions()
    assert (send(browser, "/sign-out", {"csrf_token": "stale"}).location or "").startswith("/sign-in")


def test_what_was_typed_outlives_a_database_that_fails(browser: Browser) -> None:
    typed = browser.fields("/personas/new") | {"name": "Pilot", "instructions": "Speak of tides."}
    proxy.obj.execute_sql("ALTER TABLE personas RENAME TO elsewhere")
    failed = send(browser, "/personas/new", typed)
    assert failed.status_code == 503
    assert re.findall(r"<dt>(.+?)</dt>", failed.text) == ["Name", "Instructions", "Colour"]
    proxy.obj.execute_sql("ALTER TABLE elsewhere RENAME TO personas")
    assert send(browser, "/personas/new", fields_of(failed.text)).status_code == 303
    assert Persona.get().instructions == "Speak of tides."
    assert AuditEvent.select().where(AuditEvent.action == "persona.create").count() == 1


def test_the_columns_of_a_row_keep_their_names(app: Flask, browser: Browser) -> None:
    typed = {"value:name": "Pilot", "null:color": "1", "seen": "x"}
    with app.test_request_context("/studio/new/personas", method="POST", data=typed, headers=OURS):
        kept = typed_form()
    assert kept
    assert kept.seen == [("name", "Pilot")]
