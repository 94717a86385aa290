"""Many dead letters are retried or dropped at once: those that somebody has seen, and no other."""

from __future__ import annotations

import re
from html import unescape

import pytest
from flask import Flask

from service.bot.claim import claim
from service.bot.inbox import INBOX
from service.models import DEAD, DONE, QUEUED, VIEWER, AuditEvent, Chatbot, CreatorUser, InboxItem
from tests.support.chat import make_chatbot, reloaded, send
from tests.support.panel import ONE_ENGINE, Browser, add_user, signed_in


@pytest.fixture
def dead(browser: Browser) -> list[InboxItem]:
    chatbot = make_chatbot(title="Harbour desk")
    return [died(chatbot, number) for number in range(3)]


def died(chatbot: Chatbot, number: int) -> InboxItem:
    item = send(chatbot, f"Question {number}?", thread=f"thread {number}")
    lease = claim(INBOX, "worker 1", 30)
    assert lease
    lease.bury("The endpoint answered 503.")
    return reloaded(item)


def names(page: str) -> list[str]:
    return re.findall(r'name="letter" value="([^"]+)"', page)


def settle(browser: Browser, verb: str, letters: list[str]) -> str:
    token = browser.fields("/queue/")["csrf_token"]
    answer = browser.client.post(f"/queue/{verb}", data={"csrf_token": token, "letter": letters})
    assert answer.location == "/queue/"
    found = re.search(r'role="status">([^<]+)<', browser.read("/queue/"))
    assert found
    return unescape(found[1])


def states(items: list[InboxItem]) -> list[str]:
    return [reloaded(item).state for item in items]


def test_all_that_the_page_shows_are_tried_again_and_each_is_on_record(browser: Browser, dead: list[InboxItem]) -> None:
    page = browser.read("/queue/")
    assert "Retry these 3" in page
    late = died(Chatbot.get(), 9)
    assert settle(browser, "retry", names(page)) == "Tried again: 3 dead letters."
    assert states([*dead, late]) == [QUEUED] * 3 + [DEAD], "what died since was not on the page"
    recorded = [event.subject for event in AuditEvent.select().where(AuditEvent.action == "deadletter.retry")]
    assert sorted(recorded) == sorted(f"inbox {item.id}" for item in dead)


def test_all_are_dropped_after_a_question_that_names_them(browser: Browser, dead: list[InboxItem]) -> None:
    found = re.search(r'href="(/queue/drop\?[^"]+)"', browser.read("/queue/"))
    assert found
    question = browser.read(unescape(found[1]))
    assert "Drop 3 dead letters?" in question
    assert all(f"Question {number}?" in question for number in range(3))
    assert states(dead) == [DEAD] * 3, "asking changes nothing"
    assert settle(browser, "drop", names(question)) == "Dropped: 3 dead letters."
    assert states(dead) == [DONE] * 3


@ONE_ENGINE
def test_what_somebody_else_has_settled_meanwhile_is_told(browser: Browser, dead: list[InboxItem]) -> None:
    shown = names(browser.read("/queue/"))
    settle(browser, "drop", shown[:1])
    told = settle(browser, "retry", shown)
    assert told == "Tried again: 2 dead letters. Somebody else was first to settle 1 more."
    assert sorted(states(dead)) == [DONE, QUEUED, QUEUED]


@ONE_ENGINE
def test_strange_names_and_those_of_others_settle_nothing(app: Flask, dead: list[InboxItem]) -> None:
    editor = add_user("eve@example.org", role="editor")
    browser = signed_in(app, editor.email)
    for letters in ([f"inbox-{dead[0].id}"], [f"inbox-{2**80}", "letters-1", "outbox-", ""], []):
        assert settle(browser, "drop", letters).startswith("Dropped: 0 dead letters.")
    assert states(dead) == [DEAD] * 3
    assert browser.get(f"/queue/drop?letter=inbox-{dead[0].id}").location == "/queue/"
    assert "Nothing of that is left to be settled." in browser.read("/queue/")


@ONE_ENGINE
def test_who_may_not_settle_is_not_offered_it(app: Flask, dead: list[InboxItem]) -> None:
    viewer = add_user("vera@example.org", role=VIEWER)
    CreatorUser.create(creator=Chatbot.get().creator, user=viewer)
    browser = signed_in(app, viewer.email)
    assert "Retry these" not in browser.read("/queue/")
    token = browser.fields("/personas/")["csrf_token"]
    assert browser.send("/queue/drop", {"csrf_token": token, "letter": f"inbox-{dead[0].id}"}).status_code == 403
