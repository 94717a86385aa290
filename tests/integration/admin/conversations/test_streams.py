"""How many streams there are, how long each lasts, and what ends one."""

from __future__ import annotations

import socket

import pytest
from flask import Flask

from service.admin.conversations import live
from service.database import proxy
from service.models import Chatbot, Conversation, CreatorUser, User
from tests.support.chat import make_chatbot
from tests.support.clock import Clock
from tests.support.live import Stream, talk, work
from tests.support.panel import ONE_ENGINE, Browser, add_user, signed_in

pytestmark = pytest.mark.usefixtures("_hardly_a_pause")


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
    clock = Clock()
    monkeypatch.setattr("service.admin.conversations.live.time", clock)
    monkeypatch.setattr(live, "PAUSE", live.BEAT / 2)
    response = browser.get(f"{talk(browser, 'One')}/live")
    pieces = [piece.decode() for piece in response.iter_encoded()]
    response.close()
    assert clock.now == live.LASTS
    assert pieces[0] == f"retry: {live.RETRY}\n\n"
    assert pieces.count(":\n\n") > 3
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
