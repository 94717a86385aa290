from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest

from service.admin.conversations import MESSAGES_SHOWN, PAGE_SIZE
from service.chat import versions
from service.models import Chatbot, Conversation, Message, Persona, ToolLog, User
from service.models.base import utc_now
from service.url import DatabaseUrl
from tests.support.chat import make_chatbot
from tests.support.panel import Browser, panel, signed_in


@pytest.fixture
def browser(service_database: DatabaseUrl) -> Browser:
    return signed_in(panel(service_database))


def begin(chatbot: Chatbot, title: str, **fields: Any) -> Conversation:
    values = {"channel": "telegram", "thread": title, "chatbot_version": versions.current(chatbot)} | fields
    return Conversation.create(chatbot=chatbot, title=title, **values)


def say(conversation: Conversation, role: str, content: str, **fields: Any) -> Message:
    return Message.create(chatbot=conversation.chatbot, conversation=conversation, role=role, content=content, **fields)


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


def test_a_transcript_tells_who_said_what_as_whom_and_in_reply_to_what(browser: Browser) -> None:
    chatbot = make_chatbot()
    visitor = User.create(email="v@example.org", name="Vera", password_hash="-")
    pirate = Persona.create(user=visitor, name="Pirate")
    conversation = begin(chatbot, "talk 1", user=visitor)
    question = say(conversation, "user", "Is <b>berth 12</b> free?", user=visitor)
    answer = say(conversation, "assistant", "Aye.", persona=pirate, reply_to=question, metadata={"tokens": 3})
    ToolLog.create(
        session=conversation, message=answer, server="bookings", tool="find", arguments={"berth": 12}, duration_ms=1234
    )
    say(conversation, "assistant", "Sorry.", error="The provider is away.")
    page = browser.read(f"/conversations/{conversation.id}")
    assert "Is &lt;b&gt;berth 12&lt;/b&gt; free?" in page
    assert "Vera" in page
    assert "Pirate" in page
    assert f'href="#message-{question.id}">in reply</a>' in page
    assert "bookings · find" in page
    assert "1.2 s" in page
    assert "The provider is away." in page
    assert f"/chatbots/{chatbot.id}/versions/1" in page


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


def test_what_is_not_there_is_a_404_and_a_mangled_address_is_no_error(browser: Browser) -> None:
    conversation = begin(make_chatbot(), "talk 1")
    assert browser.get("/conversations/99").status_code == 404
    assert titles(browser.read("/conversations/?before=nonsense")) == ["talk 1"]
    assert browser.get(f"/conversations/{conversation.id}?before={2**80}").status_code == 200
