"""An answer that is seen while it is written."""

from __future__ import annotations

import itertools
import json

import pytest

from service.admin.conversations.news import PATIENCE
from service.bot.inbox import answer, apologise_and_bury
from service.chat import following
from service.chat.providers import built_in
from service.models import Chatbot, Conversation, FollowedThread, InboxItem
from service.models.base import utc_now
from tests.support.chat import send
from tests.support.live import GROWING, Stream, place_in, taken, talk, work
from tests.support.panel import Browser

pytestmark = pytest.mark.usefixtures("_hardly_a_pause")


def test_an_answer_is_seen_growing_and_then_as_it_is_stored(browser: Browser, chatbot: Chatbot) -> None:
    path = talk(browser, "When does the ferry leave?")
    lease = taken()
    assert lease.item.is_followed, "who talks follows, also before the page is there"
    following.write(lease.item, "<b>The")
    with Stream(browser, f"{path}/live?after={place_in(browser.read(path))}") as events:
        begun = next(events)
        assert GROWING.findall(begun.data) == ["&lt;b&gt;The"]
        assert 'aria-live="off"' in begun.data, "it is read out once, when it is complete"
        assert "waiting for the bot worker" not in begun.data
        following.write(lease.item, "<b>The ferry\nleaves")
        grown = next(events)
        assert (grown.name, grown.id, json.loads(grown.data)) == ("text", "", " ferry\nleaves")
        answer(lease, built_in())
        stored = next(events)
        assert len(stored.messages) == 2
        assert not GROWING.findall(stored.data)


def test_an_answer_that_begins_anew_is_drawn_anew(browser: Browser, chatbot: Chatbot) -> None:
    path = talk(browser, "When does the ferry leave?")
    first = taken()
    following.write(first.item, "The bus")
    with Stream(browser, f"{path}/live") as events:
        assert GROWING.findall(next(events).data) == ["The bus"]
        first.retry("It broke off.", 0)
        assert not GROWING.findall(next(events).data), "what nobody writes any more is gone"
        second = taken()
        following.write(second.item, "The ferry")
        assert GROWING.findall(next(events).data) == ["The ferry"]


def test_a_page_and_who_only_asks_show_how_far_an_answer_is(browser: Browser, chatbot: Chatbot) -> None:
    path = talk(browser, "When does the ferry leave?")
    lease = taken()
    following.write(lease.item, "The ferry")
    InboxItem.update(created_at=utc_now() - 2 * PATIENCE).execute()
    for address in (path, f"{path}/messages?after=0.0"):
        page = browser.read(address)
        assert GROWING.findall(page) == ["The ferry"]
        assert "No answer yet" not in page, "somebody is at work"
        assert page.index("When does the ferry leave?</div>") < page.index("data-growing")


def test_who_looks_at_a_transcript_of_any_channel_sees_its_answers_grow(browser: Browser, chatbot: Chatbot) -> None:
    send(chatbot, "One", channel="telegram")
    work()
    path = f"/conversations/{Conversation.get().id}"
    for address in (f"{path}/messages?after=0.0", f"{path}/live"):
        FollowedThread.delete().execute()
        send(chatbot, "Unseen", channel="telegram")
        unseen = taken()
        assert not unseen.item.is_followed, "the page by itself follows nothing"
        answer(unseen, built_in())
        response = browser.get(address)
        next(itertools.islice(response.iter_encoded(), 1, None), None)  # a stream's first line says nothing yet
        send(chatbot, "Two", channel="telegram")
        lease = taken()
        assert lease.item.is_followed
        following.write(lease.item, "Half an answer")
        assert GROWING.findall(browser.read(path)) == ["Half an answer"]
        answer(lease, built_in())
        response.close()


def test_a_retried_message_has_its_answer_grow_though_it_stands_there_already(
    browser: Browser, chatbot: Chatbot
) -> None:
    path = talk(browser, "Unanswerable?")
    apologise_and_bury(taken(), "The provider refused the key.")
    InboxItem.update(state="queued", attempts=0).execute()
    following.write(taken().item, "After all")
    page = browser.read(path)
    assert page.count("Unanswerable?</div>") == 1
    assert GROWING.findall(page) == ["After all"]
