from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any

import pytest
from flask import Flask

from service.admin.desk.toolcalls import PAGE_SIZE
from service.models import EDITOR, OWNER, VIEWER, Conversation, CreatorUser, Message, ToolLog, User
from service.models.base import utc_now
from tests.support.chat import make_chatbot
from tests.support.panel import ONE_ENGINE, Browser, add_user, signed_in

PATH = "/tool-calls/"


@pytest.fixture
def conversation(browser: Browser) -> Conversation:
    return Conversation.create(chatbot=make_chatbot(title="Helper"), title="Is berth 12 free?", thread="one")


def called(conversation: Conversation | None, tool: str, **fields: Any) -> ToolLog:
    return ToolLog.create(**{"session": conversation, "server": "bookings", "tool": tool, "duration_ms": 5} | fields)


def tools(page: str) -> list[str]:
    return re.findall(r'href="/tool-calls/\d+">([^<]+)</a>', page)


@ONE_ENGINE
def test_without_a_call_the_page_says_where_tools_come_from(browser: Browser) -> None:
    page = browser.read(PATH)
    assert "No tool was called yet" in page
    assert "MCP_SERVERS" in page
    assert "invalid-feedback" not in page


@ONE_ENGINE
def test_a_viewer_is_not_sent_to_a_form_that_is_not_theirs(app: Flask) -> None:
    page = signed_in(app, add_user("vera@example.org", role=VIEWER).email).read(PATH)
    assert "What the chatbots of your teams look up or set going comes up here." in page
    assert "MCP_SERVERS" not in page


def test_each_filter_leaves_the_calls_that_it_names(browser: Browser, conversation: Conversation) -> None:
    called(conversation, "find", created_at=datetime(2026, 5, 1, 23, 59, 59))
    called(conversation, "book", error="The pier is closed.", duration_ms=1500, created_at=datetime(2026, 5, 2))
    called(conversation, "tide", server="weather", created_at=datetime(2026, 5, 3, 0, 0, 1))
    found = {
        "": ["tide", "book", "find"],
        "server=weather": ["tide"],
        "tool=find": ["find"],
        "outcome=failed": ["book"],
        "outcome=worked": ["tide", "find"],
        "slower=1500": ["book"],
        "since=2026-05-02": ["tide", "book"],
        "until=2026-05-02": ["book", "find"],
        "since=2026-05-02&until=2026-05-02": ["book"],
        "server=bookings&outcome=worked": ["find"],
    }
    assert {words: tools(browser.read(f"{PATH}?{words}")) for words in found} == found


@ONE_ENGINE
def test_a_filter_that_holds_is_named_and_can_be_removed_by_itself(
    browser: Browser, conversation: Conversation
) -> None:
    called(conversation, "find")
    page = browser.read(f"{PATH}?server=bookings&outcome=worked&since=2020-01-01")
    assert re.search(r'href="/tool-calls/\?outcome=worked&amp;since=2020-01-01"[^>]*>.*Server: bookings', page)
    assert "Outcome: Worked" in page
    assert "From: 2020-01-01" in page
    assert '<a href="/tool-calls/">Clear all</a>' in page
    assert '<option value="bookings">' in page, "the names that there are are offered"


@ONE_ENGINE
def test_nothing_found_is_not_the_same_as_nothing_there(browser: Browser, conversation: Conversation) -> None:
    called(conversation, "find")
    page = browser.read(f"{PATH}?tool=nobody")
    assert "No tool call like that" in page
    assert "No tool was called yet" not in page


@ONE_ENGINE
@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ("since=yesterday", "Type a day, such as 2026-11-21."),
        ("since=9999-12-31", "Choose a day between 2000 and 2199."),
        ("until=0001-01-01", "Choose a day between 2000 and 2199."),
        ("slower=fast", "Type a number of milliseconds, such as 1500."),
        ("slower=99999999999999999999", "Type a number of milliseconds, such as 1500."),
        ("outcome=odd", "Not a valid choice."),
        (f"tool={'x' * 121}", "At most 120 characters."),
        ("tool=a%00b", "This holds a character"),
    ],
)
def test_a_filter_that_can_not_be_read_is_said_so_and_narrows_nothing(
    browser: Browser, conversation: Conversation, words: str, complaint: str
) -> None:
    called(conversation, "find")
    page = browser.read(f"{PATH}?{words}")
    assert complaint in page
    assert tools(page) == ["find"]
    assert "chip" not in page


def test_paging_keeps_the_filters_and_shows_every_call_once(browser: Browser, conversation: Conversation) -> None:
    for number in range(PAGE_SIZE + 3):
        called(conversation, f"tool {number}")
        called(conversation, "other", server="weather")
    first = browser.read(f"{PATH}?server=bookings")
    older = re.search(r'rel="next" href="([^"]+)"', first)
    assert older
    second = browser.read(older[1].replace("&amp;", "&"))
    assert len(tools(first)) == PAGE_SIZE
    assert tools(second) == ["tool 2", "tool 1", "tool 0"]
    assert tools(browser.read(f"{PATH}?before={2**70}"))[0] == "other", "a mangled place is the beginning"


def test_a_call_shows_arguments_result_and_the_way_to_its_message(browser: Browser, conversation: Conversation) -> None:
    message = Message.create(
        chatbot=conversation.chatbot, conversation=conversation, role="assistant", content="It is."
    )
    call = called(
        conversation, "find", message=message, arguments={"berth": "<12>"}, result='{"free":true}', duration_ms=2345
    )
    page = browser.read(f"{PATH}{call.id}")
    assert "{\n  &#34;berth&#34;: &#34;&lt;12&gt;&#34;\n}" in page
    assert "{\n  &#34;free&#34;: true\n}" in page, "a result that is JSON is laid out too"
    assert "2.3 s" in page
    assert f'href="/conversations/{conversation.id}?at={message.id}#message-{message.id}"' in page
    failed = called(conversation, "book", error="The pier is closed.", result="not JSON {")
    page = browser.read(f"{PATH}{failed.id}")
    assert "The pier is closed." in page
    assert "not JSON {" in page
    assert browser.get(f"{PATH}99").status_code == 404


@ONE_ENGINE
def test_the_list_leads_from_each_call_to_its_conversation(browser: Browser, conversation: Conversation) -> None:
    called(conversation, "find")
    assert f'<a href="/conversations/{conversation.id}">' in browser.read(PATH)


def test_calls_in_conversations_of_others_are_not_there(app: Flask, conversation: Conversation) -> None:
    theirs, stray = called(conversation, "find"), called(None, "stray")
    editor = add_user("eve@example.org", role=EDITOR)
    browser = signed_in(app, editor.email)
    page = browser.read(PATH)
    assert tools(page) == []
    assert "bookings" not in page, "nor are their names offered"
    assert browser.get(f"{PATH}{theirs.id}").status_code == 404
    CreatorUser.create(creator=conversation.chatbot.creator, user=editor)
    assert tools(browser.read(PATH)) == ["find"]
    assert browser.get(f"{PATH}{stray.id}").status_code == 404
    assert tools(signed_in(app, User.get(User.role == OWNER).email).read(PATH)) == ["stray", "find"], (
        "an owner sees everything"
    )
    assert ToolLog.select().where(ToolLog.created_at > utc_now() - timedelta(minutes=1)).count() == 2
