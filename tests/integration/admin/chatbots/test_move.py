"""A chatbot goes to another team: who sees it then, who may move it where, and what is on record."""

from __future__ import annotations

import re
from html import unescape

import pytest
from flask import Flask

from service.models import EDITOR, AuditEvent, Chatbot, Conversation, Creator, CreatorUser, User
from tests.support.chat import begin, make_chatbot
from tests.support.panel import ONE_ENGINE, Browser, add_user, signed_in


@pytest.fixture
def eve(app: Flask) -> User:
    return add_user("eve@example.org", role=EDITOR)


@pytest.fixture
def chatbot(eve: User) -> Chatbot:
    """Of a team that Eve is in, with something said to it."""
    chatbot = make_chatbot(user=eve, title="Harbour desk")
    begin(chatbot, "Is berth 12 free?")
    return chatbot


def offered(browser: Browser, path: str) -> list[str]:
    return re.findall(r"<option[^>]*>([^<]+)</option>", browser.read(path))


def said(browser: Browser, path: str) -> str:
    found = re.search(r'role="status">([^<]+)<', browser.read(path))
    assert found
    return unescape(found[1])


def test_it_goes_with_all_that_was_said_to_it_and_that_is_on_record(
    app: Flask, owner: Browser, eve: User, chatbot: Chatbot
) -> None:
    fay = add_user("fay@example.org", role=EDITOR)
    office = make_chatbot(user=fay, title="Office desk").creator
    Creator.update(name="Office").where(Creator.id == office.id).execute()
    talk = f"/conversations/{Conversation.get().id}"
    path = f"/chatbots/{chatbot.id}/team"
    assert owner.submit(path, team=str(office.id)).location == f"/chatbots/{chatbot.id}"
    assert said(owner, f"/chatbots/{chatbot.id}") == "Harbour desk belongs to the team Office now."
    statuses = [signed_in(app, user.email).get(talk).status_code for user in (eve, fay)]
    assert statuses == [404, 200]
    event = AuditEvent.get(AuditEvent.action == "chatbot.move")
    assert (event.subject, event.details) == ("Harbour desk", {"from": "Ada's team", "to": "Office"})


@ONE_ENGINE
def test_an_editor_moves_it_between_their_own_teams_alone(app: Flask, eve: User, chatbot: Chatbot) -> None:
    browser, path = signed_in(app, eve.email), f"/chatbots/{chatbot.id}/team"
    strange = Creator.create(name="Strangers")
    assert "You can move it between teams that you are in." in browser.read(path)
    second = Creator.create(name="Second")
    CreatorUser.create(creator=second, user=eve)
    assert offered(browser, path) == ["Second"]
    assert browser.submit(path, team=str(strange.id)).status_code == 400
    assert browser.submit(path, team=str(second.id)).status_code == 303
    assert Chatbot.get_by_id(chatbot.id).creator == second


@ONE_ENGINE
def test_of_two_who_move_it_at_once_the_second_learns_of_the_first(owner: Browser, chatbot: Chatbot) -> None:
    path = f"/chatbots/{chatbot.id}/team"
    first, second = (Creator.create(name=name) for name in ("First", "Second"))
    page = owner.fields(path)
    owner.send(path, page | {"team": str(first.id)})
    owner.read(f"/chatbots/{chatbot.id}")
    owner.send(path, page | {"team": str(second.id)})
    assert said(owner, f"/chatbots/{chatbot.id}").startswith("Somebody else has moved it just now.")
    assert Chatbot.get_by_id(chatbot.id).creator == first
    assert AuditEvent.select().where(AuditEvent.action == "chatbot.move").count() == 1


@ONE_ENGINE
def test_it_does_not_go_where_its_namesake_is(owner: Browser, chatbot: Chatbot) -> None:
    there = make_chatbot(title=chatbot.title).creator
    refused = owner.submit(f"/chatbots/{chatbot.id}/team", team=str(there.id))
    assert refused.status_code == 400
    assert "That team has a chatbot of this title already." in refused.text


@ONE_ENGINE
def test_where_there_is_no_other_team_the_page_says_what_to_do(owner: Browser, chatbot: Chatbot) -> None:
    page = owner.read(f"/chatbots/{chatbot.id}/team")
    assert "There is none but Ada&#39;s team" in page
    assert 'href="/people/teams"' in page
