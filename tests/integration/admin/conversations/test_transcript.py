"""One conversation: what was said in it, and its end."""

from __future__ import annotations

import re

from flask import Flask

from service.admin.conversations.transcript import MESSAGES_SHOWN
from service.models import (
    VIEWER,
    AuditEvent,
    Conversation,
    InboxItem,
    Message,
    Persona,
    ToolLog,
    User,
)
from tests.support.chat import begin, make_chatbot, say, send
from tests.support.panel import ONE_ENGINE, Browser, add_user, signed_in


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


def test_what_was_answered_beside_the_talk_is_quieter_and_says_so(browser: Browser) -> None:
    talk = begin(make_chatbot(), "talk 1")
    say(talk, "user", "/help", metadata={"aside": "command"})
    say(talk, "user", "Is berth 12 free?")
    page = browser.read(f"/conversations/{talk.id}")
    assert re.findall(r'class="said said-user( said-aside)?"', page) == [" said-aside", ""]
    assert page.count("beside the talk") == 1


@ONE_ENGINE
def test_a_transcript_of_more_than_a_few_messages_leads_to_its_end(browser: Browser) -> None:
    talk = begin(make_chatbot(), "talk 1")
    say(talk, "user", "Hello")
    assert 'href="#end"' not in browser.read(f"/conversations/{talk.id}")
    for number in range(11):
        say(talk, "user", f"Hello {number}")
    page = browser.read(f"/conversations/{talk.id}")
    assert page.index('href="#end"') < page.index("Hello 0")
    assert page.index('id="end"') > page.index("Hello 10")


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
    assert ">talk 1</a>" in browser.read("/conversations/?before=nonsense")
    assert browser.get(f"/conversations/{conversation.id}?before={2**80}").status_code == 200
