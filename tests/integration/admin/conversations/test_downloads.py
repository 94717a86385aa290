"""Exports that tell how far they are: what the script of the page reads, line by line."""

from __future__ import annotations

import json
from contextlib import ExitStack
from typing import Any, NamedTuple

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from service.admin.conversations.downloads import BUSY, LINES
from service.api import replies
from service.api.pieces import BrokenOff
from service.chat import export
from service.database import proxy
from service.models import EDITOR, AuditEvent, Chatbot
from service.url import DatabaseUrl
from tests.support.chat import begin, make_chatbot, say
from tests.support.panel import ONE_ENGINE, Browser, add_user, panel, signed_in
from tests.support.statements import heard

EXPORT = "/conversations/export?form=json"


@pytest.fixture
def app(service_database: DatabaseUrl, monkeypatch: pytest.MonkeyPatch) -> Flask:
    monkeypatch.setattr(export, "PIECE", 1)
    return panel(service_database)


@pytest.fixture
def chatbot(browser: Browser) -> Chatbot:
    """With three talks of two messages each."""
    chatbot = make_chatbot()
    for number in range(3):
        talk = begin(chatbot, f"talk {number}", channel="panel" if number else "telegram")
        say(talk, "user", f"Is “berth {number}” free?\n")
        say(talk, "assistant", f"No. {number}")
    return chatbot


class Told(NamedTuple):
    head: dict[str, Any]
    pieces: list[dict[str, Any]]
    end: dict[str, Any]

    @property
    def text(self) -> str:
        return "".join(piece["text"] for piece in self.pieces)


def ask(browser: Browser, path: str) -> TestResponse:
    return browser.get(path, headers={"Accept": LINES})


def told(browser: Browser, path: str) -> Told:
    response = ask(browser, path)
    assert (response.status_code, response.content_type) == (200, LINES)
    head, *pieces, end = (json.loads(line) for line in response.text.splitlines())
    return Told(head, pieces, end)


@pytest.mark.parametrize("form", export.FORMS)
def test_the_pieces_make_the_file_that_the_plain_download_gives(browser: Browser, chatbot: Chatbot, form: str) -> None:
    path = f"/conversations/export?form={form}"
    plain, found = browser.get(path), told(browser, path)
    assert found.text == plain.text
    assert plain.headers["Content-Disposition"] == f'attachment; filename="{found.head["name"]}"'
    assert found.head["type"] == plain.content_type
    assert found.end == {"is_whole": True}


@ONE_ENGINE
def test_each_piece_says_how_many_conversations_are_complete_by_its_end(browser: Browser, chatbot: Chatbot) -> None:
    found = told(browser, EXPORT)
    assert (found.head["of"], found.head["noun"]) == (3, "conversation")
    text = ""
    for piece in found.pieces[:-1]:
        assert text.count("\n]}") <= piece["done"] <= text.count("]}"), "complete are those whose bracket has closed"
        text += piece["text"]
    assert found.pieces[-1]["done"] == 3


def test_of_one_conversation_the_messages_are_counted(browser: Browser, chatbot: Chatbot) -> None:
    talk = begin(chatbot, "talk 3")
    for number in range(5):
        say(talk, "user", f"{number}")
    found = told(browser, f"/conversations/{talk.id}/export?form=jsonl")
    assert (found.head["of"], found.head["noun"]) == (5, "message")
    assert [piece["done"] for piece in found.pieces] == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("query", ["", "words=berth", "words=nothing", "channel=panel", "version=1", "failed=1"])
def test_what_is_counted_is_what_the_filters_leave(browser: Browser, chatbot: Chatbot, query: str) -> None:
    found = told(browser, f"{EXPORT}&{query}")
    assert found.head["of"] == len(json.loads(found.text)) == found.pieces[-1]["done"]


@ONE_ENGINE
def test_the_conversations_of_other_teams_are_neither_counted_nor_told(app: Flask, chatbot: Chatbot) -> None:
    eve = add_user("eve@example.org", role=EDITOR)
    stranger = signed_in(app, eve.email)
    begin(make_chatbot(user=eve), "hers")
    found = told(stranger, EXPORT)
    assert (found.head["of"], [talk["title"] for talk in json.loads(found.text)]) == (1, ["hers"])
    theirs = begin(chatbot, "talk 9")
    assert ask(stranger, f"/conversations/{theirs.id}/export").status_code == 404
    assert ask(Browser(app), EXPORT).status_code == 303, "nobody is signed in there"


@ONE_ENGINE
def test_both_ways_leave_the_same_entry_in_the_audit_log(browser: Browser, chatbot: Chatbot) -> None:
    path = f"{EXPORT}&channel=panel&words=berth"
    browser.read(path)
    told(browser, path)
    first, second = AuditEvent.select().where(AuditEvent.action == "conversation.export").order_by(AuditEvent.id)
    assert first.details == second.details == {"form": "json", "filters": {"channel": "panel"}}
    assert first.subject == second.subject


@ONE_ENGINE
def test_nobody_on_the_way_keeps_packs_or_gathers_the_pieces(browser: Browser, chatbot: Chatbot) -> None:
    response = browser.get(EXPORT, headers={"Accept": LINES, "Accept-Encoding": "gzip"})
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["X-Accel-Buffering"] == "no"
    assert "Content-Encoding" not in response.headers


def test_all_of_it_is_counted_once_and_only_for_who_wants_to_know(browser: Browser, chatbot: Chatbot) -> None:
    with heard(lambda text: "COUNT(" in text) as counts:
        told(browser, EXPORT)
        assert len(counts.asked) == 1
        browser.read(EXPORT)
    assert len(counts.asked) == 1


@ONE_ENGINE
def test_a_database_that_fails_breaks_the_file_off(
    browser: Browser, chatbot: Chatbot, caplog: pytest.LogCaptureFixture
) -> None:
    for accepted in (LINES, "*/*"):
        pieces = iter(browser.get(f"{EXPORT}&words=berth", headers={"Accept": accepted}).iter_encoded())
        next(pieces)
        proxy.obj.execute_sql("ALTER TABLE messages RENAME TO elsewhere")
        with pytest.raises(BrokenOff):
            list(pieces)
        proxy.obj.execute_sql("ALTER TABLE elsewhere RENAME TO messages")
    assert "An export broke off: the database failed with OperationalError" in caplog.text
    assert "berth" not in caplog.text


@ONE_ENGINE
def test_there_are_as_many_seats_as_for_all_downloads_and_each_is_given_back(
    browser: Browser, chatbot: Chatbot
) -> None:
    with ExitStack() as taken:
        for _ in range(replies.SEATS - 1):
            assert taken.enter_context(replies.seat())
        last = ask(browser, EXPORT)
        assert last.status_code == 200
        refused = ask(browser, EXPORT)
        assert (refused.status_code, refused.mimetype) == (503, "text/html")
        assert BUSY[0] in refused.text
        last.close()
        assert told(browser, EXPORT).end == {"is_whole": True}


@ONE_ENGINE
def test_an_export_that_can_not_be_noted_keeps_no_seat(browser: Browser, chatbot: Chatbot) -> None:
    proxy.obj.execute_sql("ALTER TABLE audit_log RENAME TO elsewhere")
    for _ in range(replies.SEATS + 1):
        assert ask(browser, EXPORT).status_code == 503
    proxy.obj.execute_sql("ALTER TABLE elsewhere RENAME TO audit_log")
    assert told(browser, EXPORT).end == {"is_whole": True}
