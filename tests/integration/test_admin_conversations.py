from __future__ import annotations

import json
import re
from datetime import datetime, timedelta
from html import unescape
from typing import Any

import pytest
from flask import Flask

from service.admin.conversations.listing import PAGE_SIZE
from service.admin.conversations.transcript import MESSAGES_SHOWN
from service.admin.parts.choices import OFFERED
from service.chat import search, versions
from service.models import (
    EDITOR,
    VIEWER,
    AuditEvent,
    Chatbot,
    Conversation,
    InboxItem,
    Message,
    Persona,
    ToolLog,
    User,
)
from service.models.base import utc_now
from service.url import DatabaseUrl
from tests.support.chat import make_chatbot, send
from tests.support.panel import ONE_ENGINE, Browser, add_user, panel, signed_in


@pytest.fixture
def app(service_database: DatabaseUrl) -> Flask:
    return panel(service_database)


@pytest.fixture
def browser(app: Flask) -> Browser:
    return signed_in(app)


def begin(chatbot: Chatbot, title: str, **fields: Any) -> Conversation:
    values = {"channel": "telegram", "thread": title, "chatbot_version": versions.current(chatbot)} | fields
    return Conversation.create(chatbot=chatbot, title=title, **values)


def say(conversation: Conversation, role: str, content: str, **fields: Any) -> Message:
    message = Message.create(
        chatbot=conversation.chatbot, conversation=conversation, role=role, content=content, **fields
    )
    search.index(message)
    return message


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


def test_a_transcript_tells_who_said_what_as_whom_how_fast_and_with_which_tools(browser: Browser) -> None:
    chatbot = make_chatbot()
    visitor = User.create(email="v@example.org", name="Vera", password_hash="-")
    pirate = Persona.create(user=visitor, name="Pirate", color="#ffd400")
    conversation = begin(chatbot, "talk 1", user=visitor, persona=pirate)
    question = say(conversation, "user", "Is <b>berth 12</b> free?", user=visitor)
    answer = say(
        conversation,
        "assistant",
        "Aye.",
        persona=pirate,
        reply_to=question,
        duration_ms=2340,
        input_tokens=300,
        output_tokens=4,
    )
    call = ToolLog.create(
        session=conversation, message=answer, server="bookings", tool="find", arguments={"berth": 12}, duration_ms=1234
    )
    say(conversation, "assistant", "Sorry.", error="The provider is away.")
    page = browser.read(f"/conversations/{conversation.id}")
    assert "Is &lt;b&gt;berth 12&lt;/b&gt; free?" in page
    for shown in ("Vera", "Pirate", "#ffd400", "2.3 s", "300 + 4 tokens", "bookings · find", "1.2 s"):
        assert shown in page
    assert f"/tool-calls/{call.id}" in page
    assert "The provider is away." in page
    assert f"/chatbots/{chatbot.id}/versions/1" in page
    assert "said-quote" not in page, "the question stands right above its answer"


def test_an_answer_to_an_earlier_message_quotes_it(browser: Browser) -> None:
    conversation = begin(make_chatbot(), "talk 1")
    question = say(conversation, "user", "Is berth 12 free?")
    say(conversation, "user", "And 13?")
    say(conversation, "assistant", "12 is.", reply_to=question)
    say(conversation, "assistant", "13 is not.", reply_to=question)
    page = browser.read(f"/conversations/{conversation.id}")
    place = f"/conversations/{conversation.id}?at={question.id}#message-{question.id}"
    assert page.count(f'<a href="{place}">Is berth 12 free?</a>') == 2


def test_a_long_transcript_begins_at_its_end_and_leads_back(browser: Browser) -> None:
    conversation = begin(make_chatbot(), "talk 1")
    for number in range(MESSAGES_SHOWN + 2):
        say(conversation, "user", f"message {number}.")
    page = browser.read(f"/conversations/{conversation.id}")
    assert f"message {MESSAGES_SHOWN + 1}." in page
    assert "message 1." not in page
    earlier = re.search(r'href="([^"]+)">Earlier messages', page)
    assert earlier
    page = browser.read(earlier[1])
    assert "message 0." in page
    assert "message 1." in page
    assert "Earlier messages" not in page


def test_a_place_in_a_long_transcript_has_both_directions(browser: Browser) -> None:
    conversation = begin(make_chatbot(), "talk 1")
    said = [say(conversation, "user", f"message {number}.") for number in range(MESSAGES_SHOWN * 2)]
    page = browser.read(f"/conversations/{conversation.id}?at={said[50].id}")
    assert "message 50." in page
    assert "Earlier messages" in page
    assert "To the newest messages" in page
    whole = browser.read(f"/conversations/{conversation.id}?at={said[-1].id}")
    assert f"message {len(said) - 1}." in whole
    assert "To the newest messages" not in whole


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


def test_a_conversation_is_deleted_after_a_question_that_names_what_goes(browser: Browser) -> None:
    conversation = begin(make_chatbot(), "talk 1")
    answer = say(conversation, "assistant", "Aye.")
    say(conversation, "user", "Thanks.")
    ToolLog.create(session=conversation, message=answer, server="bookings", tool="find")
    path = f"/conversations/{conversation.id}/delete"
    question = browser.read(path)
    assert "2 messages" in question
    assert "1 tool call<" in question
    assert Conversation.select().exists(), "asking changes nothing"
    response = browser.submit(path)
    assert (response.status_code, response.location) == (303, "/conversations/")
    assert not Conversation.select().exists()
    assert not Message.select().exists()
    assert "with 2 messages and 1 tool call." in browser.read("/conversations/")
    event = AuditEvent.get(AuditEvent.action == "conversation.delete")
    assert event.subject == f"conversation {conversation.id}"
    assert event.details == {"messages": 2, "tool_calls": 1}
    assert browser.get(path).status_code == 404


def test_a_conversation_that_somebody_is_answering_is_not_deleted(browser: Browser) -> None:
    chatbot = make_chatbot()
    conversation = begin(chatbot, "talk 1")
    item = send(chatbot, "Wait for me!", channel="telegram", thread="talk 1")
    path = f"/conversations/{conversation.id}/delete"
    response = browser.submit(path)
    assert response.status_code == 409
    assert "is being answered or delivered" in response.text
    assert Conversation.select().exists()
    assert not AuditEvent.select().where(AuditEvent.action == "conversation.delete").exists()
    InboxItem.delete().where(InboxItem.id == item.id).execute()
    assert browser.submit(path).status_code == 303


@ONE_ENGINE
def test_a_viewer_reads_and_is_offered_neither_deletion_nor_talk(app: Flask) -> None:
    viewer = add_user("vera@example.org", role=VIEWER)
    conversation = begin(make_chatbot(user=viewer), "talk 1", user=viewer, thread=f"user-{viewer.id}-a")
    browser = signed_in(app, viewer.email)
    page = browser.read(f"/conversations/{conversation.id}")
    assert "Delete" not in page
    assert "Go on talking" not in page


def test_what_is_not_there_is_a_404_and_a_mangled_address_is_no_error(browser: Browser) -> None:
    conversation = begin(make_chatbot(), "talk 1")
    assert browser.get("/conversations/99").status_code == 404
    assert titles(browser.read("/conversations/?before=nonsense")) == ["talk 1"]
    assert browser.get(f"/conversations/{conversation.id}?before={2**80}").status_code == 200
