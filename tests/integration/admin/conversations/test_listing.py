from __future__ import annotations

import json
import re
from datetime import datetime, timedelta
from html import unescape

import pytest
from flask import Flask

from service.admin.conversations.listing import PAGE_SIZE
from service.admin.conversations.transcript import MESSAGES_SHOWN
from service.admin.parts.choices import OFFERED
from service.chat import versions
from service.models import (
    EDITOR,
    AuditEvent,
    Chatbot,
    Persona,
    ToolLog,
    User,
)
from service.models.base import utc_now
from tests.support.chat import begin, make_chatbot, say
from tests.support.panel import ONE_ENGINE, Browser, add_user, signed_in


def titles(page: str) -> list[str]:
    return re.findall(r">(talk \d+)</a>", page)


def test_without_conversations_the_page_says_what_to_do(browser: Browser) -> None:
    page = browser.read("/conversations/")
    assert "No conversation yet" in page
    assert "TELEGRAM_BOT_TOKEN" in page


def test_paging_shows_every_conversation_once_newest_first_even_at_the_same_moment(browser: Browser) -> None:
    chatbot, moment = make_chatbot(), utc_now()
    total = 2 * PAGE_SIZE + 3
    for number in range(total):
        # Three of a page share a moment, so that the id has to decide.
        begin(chatbot, f"talk {number}", updated_at=moment - timedelta(seconds=number // 3))
    seen, path = [], "/conversations/"
    while path:
        page = browser.read(path)
        seen.append(titles(page))
        older = re.search(r'rel="next" href="([^"]+)"', page)
        path = older[1] if older else ""
        if len(seen) == 1:
            begin(chatbot, "talk 999", updated_at=moment + timedelta(seconds=9))
    assert [len(page) for page in seen] == [PAGE_SIZE, PAGE_SIZE, 3]
    assert len({title for page in seen for title in page}) == total, "none twice, none left out"
    assert seen[0][:3] == ["talk 2", "talk 1", "talk 0"]


def test_the_list_can_be_about_one_chatbot(browser: Browser) -> None:
    one, other = make_chatbot(title="One"), make_chatbot(title="Other")
    begin(one, "talk 1")
    begin(other, "talk 2")
    assert titles(browser.read(f"/conversations/?chatbot={one.id}")) == ["talk 1"]
    assert browser.get("/conversations/?chatbot=99").status_code == 404
    assert browser.get("/conversations/export?chatbot=99").status_code == 404


def test_each_filter_leaves_the_conversations_that_it_names(browser: Browser) -> None:
    chatbot, other = make_chatbot(title="One"), make_chatbot(title="Other")
    pirate = Persona.create(user=User.get(), name="Pirate")
    first = begin(chatbot, "talk 1", updated_at=datetime(2026, 5, 1, 23, 59, 59), persona=pirate)
    versions.publish(chatbot, {"system_prompt": "New."}, expected=1, author=None)
    second = begin(chatbot, "talk 2", updated_at=datetime(2026, 5, 2), channel="panel")
    third = begin(other, "talk 3", updated_at=datetime(2026, 5, 3, 0, 0, 1))
    say(first, "user", "Is berth twelve free?")
    say(second, "assistant", "Sorry.", error="The endpoint answered 503.")
    answer = say(third, "assistant", "Twelve boats are in.", persona=pirate)
    ToolLog.create(session=third, message=answer, server="bookings", tool="find")
    found = {
        "": ["talk 3", "talk 2", "talk 1"],
        f"chatbot={chatbot.id}": ["talk 2", "talk 1"],
        "version=1": ["talk 3", "talk 1"],
        "version=2": ["talk 2"],
        "channel=panel": ["talk 2"],
        f"persona={pirate.id}": ["talk 3", "talk 1"],
        "since=2026-05-02": ["talk 3", "talk 2"],
        "until=2026-05-02": ["talk 2", "talk 1"],
        "failed=1": ["talk 2"],
        "tools=1": ["talk 3"],
        "words=twelve": ["talk 3", "talk 1"],
        "words=free+TWEL": ["talk 1"],
        f"words=twelve&chatbot={other.id}": ["talk 3"],
        "words=nothing": [],
    }
    assert {words: titles(browser.read(f"/conversations/?{words}")) for words in found} == found


def test_what_was_found_is_shown_marked_and_leads_to_its_place(browser: Browser) -> None:
    conversation = begin(make_chatbot(), "talk 1")
    say(conversation, "user", "berth twelve")
    hit = say(conversation, "user", "The Fähre <b>leaves</b> at berth twelve")
    for number in range(MESSAGES_SHOWN):
        say(conversation, "user", f"more {number}")
    page = browser.read("/conversations/?words=twelve+faehr")
    assert "No conversation like that" in page
    page = browser.read("/conversations/?words=twelve+fähr")
    assert "The <mark>Fähre</mark> &lt;b&gt;leaves&lt;/b&gt; at berth <mark>twelve</mark>" in page
    link = re.search(rf'href="([^"]+)#message-{hit.id}"', page)
    assert link
    there = browser.read(unescape(link[1]))
    assert f'id="message-{hit.id}"' in there
    assert "<mark>twelve</mark>" in there
    assert "more 99" not in there
    assert "To the newest messages" in there


@ONE_ENGINE
def test_the_filters_stay_while_one_pages_and_each_can_be_removed_by_itself(browser: Browser) -> None:
    chatbot = make_chatbot(title="One")
    for number in range(PAGE_SIZE + 1):
        begin(chatbot, f"talk {number}", channel="panel")
        begin(chatbot, f"other {number}")
    page = browser.read(f"/conversations/?chatbot={chatbot.id}&channel=panel")
    assert re.search(r'href="/conversations/\?channel=panel"[^>]*>.*Chatbot: One', page)
    assert re.search(rf'href="/conversations/\?chatbot={chatbot.id}"[^>]*>.*Channel: Panel', page)
    older = re.search(r'rel="next" href="([^"]+)"', page)
    assert older
    assert len(titles(browser.read(unescape(older[1])))) == 1


@ONE_ENGINE
def test_of_very_many_chatbots_the_list_offers_some_and_the_one_that_is_asked_for(browser: Browser) -> None:
    first = make_chatbot(title="0")
    creator = first.creator
    for number in range(1, OFFERED + 3):
        Chatbot.create(creator=creator, title=f"{number:03}")
    begin(Chatbot.get(title=f"{OFFERED + 2:03}"), "talk 1")
    assert "Not in the list?" in browser.read("/conversations/")
    asked = Chatbot.get(title=f"{OFFERED + 2:03}").id
    page = browser.read(f"/conversations/?chatbot={asked}")
    assert f'<option selected value="{asked}">' in page
    assert titles(page) == ["talk 1"]
    assert f'value="{asked - 1}">' not in page
    assert browser.get(f"/conversations/?chatbot={2**40}").status_code == 404


@ONE_ENGINE
def test_somebody_elses_personas_are_offered_to_an_owner_alone(browser: Browser, app: Flask) -> None:
    Persona.create(user=User.get(), name="Pirate")
    eve = signed_in(app, add_user("eve@example.org", role=EDITOR).email)
    assert "Pirate" in browser.read("/conversations/")
    assert "Pirate" not in eve.read("/conversations/")


@pytest.mark.parametrize(
    ("form", "media_type", "begins"),
    [
        ("json", "application/json", '[\n{"id": '),
        ("jsonl", "application/jsonl", '{"id": '),
        ("csv", "text/csv", "conversation_id,"),
        ("md", "text/markdown", "# talk 1\n"),
    ],
)
def test_a_conversation_can_be_taken_along_in_each_form(
    browser: Browser, form: str, media_type: str, begins: str
) -> None:
    conversation = begin(make_chatbot(), "talk 1")
    say(conversation, "user", "Is berth 12 free?")
    say(begin(make_chatbot(), "talk 2"), "user", "Another")
    response = browser.get(f"/conversations/{conversation.id}/export?form={form}")
    assert response.mimetype == media_type
    assert response.headers["Content-Disposition"] == f'attachment; filename="conversation-{conversation.id}.{form}"'
    assert response.text.startswith(begins)
    assert "Is berth 12 free?" in response.text
    assert "Another" not in response.text


def test_what_the_filters_leave_can_be_taken_along_on_all_pages(browser: Browser, app: Flask) -> None:
    chatbot = make_chatbot()
    for number in range(PAGE_SIZE + 2):
        say(begin(chatbot, f"talk {number}", channel="panel"), "user", f"said {number}")
    say(begin(chatbot, "talk 99"), "user", "left out")
    page = browser.read("/conversations/?channel=panel&words=said")
    link = re.search(r'href="(/conversations/export\?form=json&amp;[^"]+)"', page)
    assert link
    taken = json.loads(browser.read(unescape(link[1])))
    assert [talk["title"] for talk in taken] == [f"talk {number}" for number in range(PAGE_SIZE + 2)]
    event = AuditEvent.get(AuditEvent.action == "conversation.export")
    assert event.details == {"form": "json", "filters": {"channel": "panel"}}, "what was searched for stays out"
    stranger = signed_in(app, add_user("eve@example.org", role=EDITOR).email)
    assert json.loads(stranger.read("/conversations/export?form=json")) == []
    assert browser.get("/conversations/export?form=exe").status_code == 404


@ONE_ENGINE
def test_the_way_back_from_a_transcript_leads_to_the_list_as_it_was_left(browser: Browser) -> None:
    talk = begin(make_chatbot(), "talk")
    path, left = f"/conversations/{talk.id}", "http://localhost/conversations/?channel=panel&before=1"
    back = 'class="over"><a href="/conversations/{}">'
    assert back.format("?channel=panel&amp;before=1") in browser.get(path, headers={"Referer": left}).text
    for stranger in ("http://example.org/conversations/?channel=panel", f"http://localhost{path}?words=berth"):
        assert back.format("") in browser.get(path, headers={"Referer": stranger}).text
