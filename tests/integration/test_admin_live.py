"""Transcripts that go on by themselves, over a stream and by asking."""

from __future__ import annotations

import itertools
import json
import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from service.admin.conversations import live
from service.admin.conversations.news import PATIENCE, Place, read_place
from service.bot.claim import claim
from service.bot.inbox import INBOX, answer, apologise_and_bury
from service.bot.lease import Lease
from service.chat import following
from service.chat.providers import built_in
from service.database import proxy
from service.models import Chatbot, Conversation, CreatorUser, FollowedThread, InboxItem, Message, ToolLog, User
from service.models.base import utc_now
from service.url import DatabaseUrl
from tests.support.chat import make_chatbot, send
from tests.support.panel import ONE_ENGINE, Browser, add_user, panel, signed_in

GROWING = re.compile(r'data-growing.*?<div class="said-text">(.*?)</div>', re.DOTALL)


@pytest.fixture
def app(service_database: DatabaseUrl, monkeypatch: pytest.MonkeyPatch) -> Flask:
    monkeypatch.setattr(live, "PAUSE", 0.01)
    return panel(service_database)


@pytest.fixture
def browser(app: Flask) -> Browser:
    return signed_in(app)


@pytest.fixture
def chatbot(browser: Browser) -> Chatbot:
    return make_chatbot(title="Helper")


@dataclass
class Event:
    name: str
    id: str
    data: str

    @property
    def messages(self) -> list[str]:
        return re.findall(r'id="message-(\d+)"', self.data)


class Stream:
    """Reads what a browser would, event by event; a context, so that its place is free again afterwards."""

    def __init__(self, browser: Browser, path: str, **headers: str) -> None:
        self.response: TestResponse = browser.get(path, headers=headers)

    def __enter__(self) -> Iterator[Event]:
        assert self.response.status_code == 200
        assert self.response.mimetype == "text/event-stream"
        return self._events()

    def __exit__(self, *_error: object) -> None:
        self.response.close()

    def _events(self) -> Iterator[Event]:
        for piece in self.response.iter_encoded():
            fields = re.findall(r"^(\w*): ?(.*)$", piece.decode(), re.MULTILINE)
            known = dict(fields)
            if "event" in known:
                data = "\n".join(value for name, value in fields if name == "data")
                yield Event(known["event"], known.get("id", ""), data)


def talk(browser: Browser, content: str) -> str:
    location = browser.submit("/talk/", content=content).location
    assert location
    return location


def work() -> None:
    lease = claim(INBOX, "the test", 30)
    assert lease
    answer(lease, built_in())


def place_in(page: str) -> str:
    found = re.search(r'data-place="([\d.]+)"', page)
    assert found
    return found[1]


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


def taken() -> Lease[InboxItem]:
    lease = claim(INBOX, "the test", 30)
    assert lease
    return lease


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
    lease = claim(INBOX, "the test", 30)
    assert lease
    apologise_and_bury(lease, "The provider refused the key.")
    conversation = Conversation.get()
    assert browser.read(f"/conversations/{conversation.id}").count("Unanswerable?</div>") == 1
    with Stream(browser, f"{path}/live") as events:
        assert next(events).data.count("Unanswerable?") == 1
    InboxItem.update(state="queued").execute()
    again = browser.read(path)
    assert again.count("Unanswerable?</div>") == 1, "tried again, it is not shown a second time"
    assert 'data-waiting="soon"' in again


@ONE_ENGINE
def test_only_a_few_streams_are_open_at_once_and_a_closed_one_makes_room(browser: Browser, chatbot: Chatbot) -> None:
    path = f"{talk(browser, 'One')}/live"
    streams = [Stream(browser, path) for _ in range(live.AT_ONCE)]
    refused = browser.get(path)
    assert refused.status_code == 204
    assert browser.get(path.replace("/live", "/messages")).status_code == 200, "asking still works"
    streams[0].response.close()
    with Stream(browser, path) as events:
        assert next(events).name == "news"
    for stream in streams[1:]:
        stream.response.close()


@ONE_ENGINE
def test_a_stream_ends_by_itself_and_keeps_the_line_warm_until_then(
    browser: Browser, chatbot: Chatbot, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = talk(browser, "One")
    monkeypatch.setattr(live, "LASTS", 0.3)
    monkeypatch.setattr(live, "BEAT", 0.05)
    response = browser.get(f"{path}/live")
    pieces = [piece.decode() for piece in response.iter_encoded()]
    response.close()
    assert pieces[0] == f"retry: {live.RETRY}\n\n"
    assert ":\n\n" in pieces
    assert sum("event: news" in piece for piece in pieces) == 1, "what did not change is not sent again"


@ONE_ENGINE
def test_a_stream_ends_as_soon_as_its_browser_has_left(browser: Browser, chatbot: Chatbot) -> None:
    ours, theirs = socket.socketpair()
    path = talk(browser, "One")
    response = browser.get(f"{path}/live", environ_overrides={"gunicorn.socket": ours})
    pieces = response.iter_encoded()
    assert b"retry" in next(pieces)
    assert b"event: news" in next(pieces)
    theirs.close()
    assert list(pieces) == []
    response.close()
    ours.close()


def test_a_stream_ends_with_the_session(browser: Browser, chatbot: Chatbot) -> None:
    with Stream(browser, f"{talk(browser, 'One')}/live") as events:
        assert next(events).name == "news"
        User.update(session_epoch=User.session_epoch + 1).execute()
        assert [event.name for event in events] == ["gone"]


def test_a_stream_ends_when_the_chatbot_is_no_longer_for_this_person(app: Flask) -> None:
    editor = add_user("eve@example.org", role="editor")
    chatbot = make_chatbot(user=editor)
    browser = signed_in(app, editor.email)
    path = talk(browser, "One")
    work()
    for address in (f"{path}/live", f"/conversations/{Conversation.get().id}/live"):
        with Stream(browser, address) as events:
            assert next(events).name == "news"
            CreatorUser.delete().execute()
            assert [event.name for event in events] == ["gone"]
        assert browser.get(address).status_code == 404
        CreatorUser.create(creator=chatbot.creator, user=editor)


def test_a_stream_holds_no_connection_while_it_waits(
    browser: Browser, chatbot: Chatbot, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = talk(browser, "One")
    held: list[bool] = []

    def sleep(_seconds: float) -> None:
        held.append(not proxy.obj.is_closed())
        work() if len(held) == 1 else None

    monkeypatch.setattr("service.admin.conversations.live.time.sleep", sleep)
    proxy.obj.close()
    with Stream(browser, f"{path}/live") as events:
        next(events)
        next(events)
    assert held == [False]


@ONE_ENGINE
def test_a_database_that_fails_ends_the_stream_with_a_line_in_the_log(
    browser: Browser, chatbot: Chatbot, caplog: pytest.LogCaptureFixture
) -> None:
    path = talk(browser, "What nobody else may read")
    with Stream(browser, f"{path}/live") as events:
        next(events)
        proxy.obj.execute_sql("ALTER TABLE inbox RENAME TO elsewhere")
        assert list(events) == []
        proxy.obj.execute_sql("ALTER TABLE elsewhere RENAME TO inbox")
    assert "A live transcript ended: the database failed with OperationalError" in caplog.text
    assert "nobody else" not in caplog.text


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
