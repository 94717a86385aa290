"""Transcripts that go on by themselves: what comes, over a stream and by asking."""

from __future__ import annotations

import re

import pytest

from service.admin.conversations.news import Place, read_place
from service.bot.inbox import apologise_and_bury
from service.models import Chatbot, Conversation, InboxItem, Message, ToolLog
from tests.support.live import Stream, place_in, taken, talk, work
from tests.support.panel import ONE_ENGINE, Browser

pytestmark = pytest.mark.usefixtures("_hardly_a_pause")


def test_what_waits_and_then_the_answer_come_by_themselves(browser: Browser, chatbot: Chatbot) -> None:
    path = talk(browser, "Is berth 12 free?")
    with Stream(browser, f"{path}/live?after={place_in(browser.read(path))}") as events:
        waiting = next(events)
        assert waiting.messages == []
        assert 'data-waiting="soon"' in waiting.data
        assert "Is berth 12 free?" in waiting.data
        work()
        answered = next(events)
        assert answered.messages == [str(message.id) for message in Message.select().order_by(Message.id)]
        assert "You wrote: “Is berth 12 free?”." in answered.data
        assert answered.data.count("Is berth 12 free?</div>") == 1, "no longer shown as waiting too"
        assert "data-waiting" not in answered.data


def test_the_transcript_of_any_channel_goes_on_too(browser: Browser, chatbot: Chatbot) -> None:
    talk(browser, "One")
    work()
    conversation = Conversation.get()
    path = f"/conversations/{conversation.id}"
    page = browser.read(path)
    assert f'data-live="{path}/live"' in page
    with Stream(browser, f"{path}/live?after={place_in(page)}") as events:
        assert next(events).messages == [], "what stands in the page is not sent again"
        said = Message.create(chatbot=chatbot, conversation=conversation, role="user", content="Two <b>")
        fresh = next(events)
        assert fresh.messages == [str(said.id)]
        assert "Two &lt;b&gt;" in fresh.data


def test_who_comes_back_gets_what_came_meanwhile_and_nothing_twice(browser: Browser, chatbot: Chatbot) -> None:
    talk(browser, "One")
    work()
    conversation = Conversation.get()
    path = f"/conversations/{conversation.id}/live"
    with Stream(browser, path) as events:
        first = next(events)
        assert len(first.messages) == 2
    said = Message.create(chatbot=chatbot, conversation=conversation, role="user", content="Two")
    with Stream(browser, f"{path}?after=0.0", **{"Last-Event-ID": first.id}) as events:
        assert next(events).messages == [str(said.id)]


def test_a_message_whose_tool_was_called_later_is_sent_again(browser: Browser, chatbot: Chatbot) -> None:
    talk(browser, "One")
    work()
    conversation, question = Conversation.get(), Message.select().order_by(Message.id).get()
    path = f"/conversations/{conversation.id}"
    with Stream(browser, f"{path}/live?after={place_in(browser.read(path))}") as events:
        next(events)
        ToolLog.create(session=conversation, message=question, server="bookings", tool="find")
        changed = next(events)
        assert changed.messages == [str(question.id)]
        assert "bookings · find" in changed.data


def test_asking_brings_only_what_is_new(browser: Browser, chatbot: Chatbot) -> None:
    path = talk(browser, "One")
    work()
    place = place_in(browser.read(path))
    nothing = browser.read(f"{path}/messages?after={place}")
    assert place_in(nothing) == place
    assert 'id="message-' not in nothing
    assert 'id="message-' in browser.read(f"{path}/messages"), "without a place, everything"
    conversation = Conversation.get()
    said = Message.create(chatbot=chatbot, conversation=conversation, role="user", content="Two")
    for address in (f"{path}/messages", f"/conversations/{conversation.id}/messages"):
        fresh = browser.read(f"{address}?after={place}")
        assert re.findall(r'id="message-(\d+)"', fresh) == [str(said.id)]


def test_what_was_given_up_with_an_apology_stands_there_once(browser: Browser, chatbot: Chatbot) -> None:
    path = talk(browser, "Unanswerable?")
    apologise_and_bury(taken(), "The provider refused the key.")
    conversation = Conversation.get()
    assert browser.read(f"/conversations/{conversation.id}").count("Unanswerable?</div>") == 1
    with Stream(browser, f"{path}/live") as events:
        assert next(events).data.count("Unanswerable?") == 1
    InboxItem.update(state="queued").execute()
    again = browser.read(path)
    assert again.count("Unanswerable?</div>") == 1, "tried again, it is not shown a second time"
    assert 'data-waiting="soon"' in again


@ONE_ENGINE
def test_a_part_of_a_long_transcript_stays_as_it_is(browser: Browser, chatbot: Chatbot) -> None:
    conversation = Conversation.create(chatbot=chatbot, title="talk", thread="long")
    said = [
        Message.create(chatbot=chatbot, conversation=conversation, role="user", content=f"{number}.")
        for number in range(150)
    ]
    path = f"/conversations/{conversation.id}"
    assert "data-live" not in browser.read(f"{path}?at={said[0].id}")
    assert "data-live" in browser.read(f"{path}?at={said[149].id}")


@pytest.mark.parametrize(
    ("text", "place"),
    [("12.3", Place(12, 3)), ("12", Place(12, 0)), ("", Place()), ("x.y", Place()), (f"{2**80}.-1", Place())],
)
def test_a_mangled_place_is_the_beginning(text: str, place: Place) -> None:
    assert read_place(text) == place
    assert str(place) == f"{place.message}.{place.call}"


@ONE_ENGINE
def test_a_conversation_without_a_thread_is_not_taken_for_another(browser: Browser, chatbot: Chatbot) -> None:
    old = [Conversation.create(chatbot=chatbot, title=title) for title in ("one", "two")]
    for conversation in old:
        Message.create(chatbot=chatbot, conversation=conversation, role="user", content=f"Said in {conversation.title}")
    page = browser.read(f"/conversations/{old[1].id}")
    assert "Said in two" in page
    assert "Said in one" not in page
