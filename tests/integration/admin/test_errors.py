"""What a person reads where something did not work: always a page, with what happened and what to do now."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask

from service.admin.parts.forms import ChatbotForm
from service.admin.parts.kept import shown_again
from service.models import VIEWER
from tests.support.chat import make_chatbot
from tests.support.panel import ONE_ENGINE, Browser, add_user, signed_in

pytestmark = ONE_ENGINE


@pytest.mark.parametrize(
    ("method", "path", "status", "said"),
    [
        ("GET", "/nope", 404, "be of a team that you are not in"),
        ("GET", f"/chatbots/{2**70}", 404, "There is no such page."),
        ("GET", "/conversations/one", 404, "There is no such page."),
        ("GET", "/static/nope.js", 404, "There is no such page."),
        ("GET", "/queue/retry", 405, "Go back and use the buttons of the page."),
        ("DELETE", "/chatbots/", 405, "That is not possible here."),
        ("POST", "/personas/new", 400, "This form has expired."),
    ],
)
def test_a_refusal_is_a_page_that_says_what_to_do(
    browser: Browser, method: str, path: str, status: int, said: str
) -> None:
    answer = browser.client.open(path, method=method)
    assert answer.status_code == status
    assert answer.mimetype == "text/html"
    assert said in answer.text
    assert "To the panel</a>" in answer.text


def test_who_asks_in_another_way_is_told_the_ways_that_there_are(browser: Browser) -> None:
    answer = browser.client.delete("/chatbots/")
    assert set(answer.headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS"}
    assert answer.headers.getlist("Content-Type") == ["text/html; charset=utf-8"]


def test_a_viewer_is_not_shown_a_form_that_they_may_not_send(app: Flask) -> None:
    viewer = signed_in(app, add_user("vera@example.org", role=VIEWER).email)
    answer = viewer.get("/personas/new")
    assert answer.status_code == 403
    assert "Ask somebody who may, or sign in with another account." in answer.text


def test_what_breaks_is_told_without_how_and_keeps_what_was_typed(
    app: Flask, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    @shown_again(ChatbotForm)
    def breaks(**_: Any) -> str:
        raise LookupError("the cellar key")

    path = f"/chatbots/{make_chatbot().id}/edit"
    fields = browser.fields(path) | {"system_prompt": "Typed with care."}
    monkeypatch.setitem(app.view_functions, "chatbots.publish", breaks)
    monkeypatch.setitem(app.config, "PROPAGATE_EXCEPTIONS", False)
    answer = browser.client.post(path, data=fields, headers={"Origin": "http://localhost"})
    assert answer.status_code == 500
    assert "Something broke on our side." in answer.text
    assert "<dt>System prompt</dt>" in answer.text
    assert "Typed with care." in answer.text
    assert "cellar" not in answer.text


def test_a_page_that_broke_is_asked_for_again_where_one_is(
    app: Flask, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks() -> str:
        raise LookupError

    monkeypatch.setitem(app.view_functions, "personas.index", breaks)
    monkeypatch.setitem(app.config, "PROPAGATE_EXCEPTIONS", False)
    assert '<a class="btn btn-primary" href="">Try again</a>' in browser.get("/personas/").text
