"""What was typed outlives a session that ended, a token that is stale, and a database that fails."""

from __future__ import annotations

import re
from html import unescape

import pytest
from werkzeug.test import TestResponse

from service.database import proxy
from service.models import Chatbot, ChatbotVersion, Persona, User
from tests.support.chat import make_chatbot
from tests.support.panel import EMAIL, ONE_ENGINE, PASSWORD, Browser, fields_of

pytestmark = ONE_ENGINE
OURS = {"Origin": "http://localhost"}
PROMPT = "Be brief.\r\nNever say “<b>”.\r\n"


@pytest.fixture
def path(browser: Browser) -> str:
    return f"/chatbots/{make_chatbot().id}/edit"


def send(browser: Browser, path: str, fields: dict[str, str], origin: dict[str, str] | None = None) -> TestResponse:
    return browser.client.post(path, data=fields, headers=OURS if origin is None else origin)


def kept(response: TestResponse) -> dict[str, str]:
    """The form that the page offers to send again; the sign-out of the menu sends its token alone."""
    return {name: unescape(value) for name, value in fields_of(response.text).items()}


def end_the_sessions() -> None:
    User.update(session_epoch=User.session_epoch + 1).execute()


def test_a_session_that_ends_in_the_middle_of_a_form_costs_nothing_that_was_typed(browser: Browser, path: str) -> None:
    typed = browser.fields(path) | {"system_prompt": PROMPT, "notes": "The tide."}
    end_the_sessions()
    ended = send(browser, path, typed)
    assert ended.status_code == 401
    assert "Your session has ended." in ended.text
    assert f'action="{path}"' in ended.text
    assert kept(ended)["system_prompt"].split() == PROMPT.split()
    browser.sign_in()
    stale = send(browser, path, kept(ended))
    assert stale.status_code == 400
    assert "look at it, then send it again" in stale.text
    assert ChatbotVersion.select().count() == 1, "nothing was sent past its token"
    assert send(browser, path, kept(stale)).location == path.removesuffix("/edit")
    assert Chatbot.get().system_prompt == "Be brief.\nNever say “<b>”.\n"
    assert ChatbotVersion.select().order_by(ChatbotVersion.id.desc()).get().notes == "The tide."


def test_what_went_along_unseen_is_sent_again_and_not_shown(browser: Browser, path: str) -> None:
    typed = browser.fields(path) | {"csrf_token": "stale", "said": '[["user", "Hello"]]'}
    page = send(browser, path, typed).text
    shown = re.findall(r"<dt>(.+?)</dt>", page)
    assert "system prompt" in shown
    assert not {"said", "expected", "csrf token"} & set(shown)
    assert {"said", "expected"} <= set(fields_of(page))


@pytest.mark.parametrize("origin", [{}, {"Origin": "https://evil.example"}, {"Origin": "null"}])
def test_nothing_that_a_strange_page_sends_is_offered_to_be_sent_again(
    browser: Browser, path: str, origin: dict[str, str]
) -> None:
    typed = {"title": "Strange words"}
    refused = send(browser, path, typed, origin)
    assert refused.status_code == 400
    assert "Strange words" not in refused.text
    end_the_sessions()
    assert send(browser, path, typed, origin).status_code == 303


def test_a_form_with_a_password_is_not_kept(browser: Browser) -> None:
    typed = {"present": PASSWORD, "password": "another long password", "again": "another long password"}
    for answer in (send(browser, "/account/password", typed), send(browser, "/sign-in", {"email": EMAIL, **typed})):
        assert answer.status_code == 400
        assert "long password" not in answer.text
        assert "Send it again" not in answer.text


def test_a_button_without_a_field_leads_to_the_sign_in_as_before(browser: Browser, path: str) -> None:
    end_the_sessions()
    assert (send(browser, "/sign-out", {"csrf_token": "stale"}).location or "").startswith("/sign-in")


def test_what_was_typed_outlives_a_database_that_fails(browser: Browser) -> None:
    typed = browser.fields("/personas/new") | {"name": "Pilot", "instructions": "Speak of tides."}
    proxy.obj.execute_sql("ALTER TABLE personas RENAME TO elsewhere")
    failed = send(browser, "/personas/new", typed)
    assert failed.status_code == 503
    proxy.obj.execute_sql("ALTER TABLE elsewhere RENAME TO personas")
    assert send(browser, "/personas/new", kept(failed)).status_code == 303
    assert Persona.get().instructions == "Speak of tides."
