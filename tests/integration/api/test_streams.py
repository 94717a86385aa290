"""An answer is seen over the HTTP API while it is being written."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any, NamedTuple

import pytest
from werkzeug.test import TestResponse

from service.api import replies
from service.bot.claim import claim
from service.bot.inbox import INBOX, answer, apologise_and_bury
from service.bot.lease import Lease
from service.chat import following
from service.chat.respond import APOLOGY
from service.models import InboxItem, Message
from service.url import DatabaseUrl
from tests.support.api import Program, error_of, program
from tests.support.chat import make_chatbot
from tests.support.panel import ONE_ENGINE, add_user, panel
from tests.support.providers import Recorder

ANSWER = "The ferry leaves at noon."


@pytest.fixture
def caller(service_database: DatabaseUrl, monkeypatch: pytest.MonkeyPatch) -> Program:
    user = add_user()
    make_chatbot(user=user)
    monkeypatch.setattr(replies, "RAREST_LOOK", 0.02)
    return program(panel(service_database), user)


class Event(NamedTuple):
    name: str
    id: str
    data: Any

    @property
    def text(self) -> str:
        assert self.name == "text", self
        return str(self.data["text"])


class Stream:
    """Reads what a program would, event by event; a context, so that its place is free again afterwards."""

    def __init__(self, response: TestResponse) -> None:
        assert (response.status_code, response.mimetype) == (200, "text/event-stream")
        self._response, self._pieces = response, response.iter_encoded()

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *_error: object) -> None:
        self._response.close()

    def __iter__(self) -> Iterator[Event]:
        for piece in self._pieces:
            lines = [line.split(": ", 1) for line in piece.decode().splitlines() if line and not line.startswith(":")]
            if lines:
                fields = dict(lines)
                yield Event(fields["event"], fields.get("id", ""), json.loads(fields["data"]))

    def next(self) -> Event:
        return next(iter(self))


def sent(caller: Program, **headers: str) -> Stream:
    body = {"chatbot_id": 1, "message": "When does the ferry leave?"}
    return Stream(caller.post("/chat/stream", body, headers=headers, buffered=False))


def followed(caller: Program, reached: str = "") -> Stream:
    headers = {"Last-Event-ID": reached} if reached else {}
    return Stream(caller.get(f"/chat/{InboxItem.get().id}/stream", headers=headers, buffered=False))


def begun(stream: Stream) -> Lease[InboxItem]:
    """The message is taken, and who follows it has heard of that."""
    assert stream.next().name == "queued"
    lease = taken()
    assert stream.next().name == "answering"
    return lease


def taken() -> Lease[InboxItem]:
    lease = claim(INBOX, "the test", 30)
    assert lease is not None
    return lease


def finish(lease: Lease[InboxItem], text: str = ANSWER) -> None:
    answer(lease, {"offline": Recorder(text)})


def test_the_text_comes_as_it_is_written_and_then_the_whole_as_it_is_stored(caller: Program) -> None:
    with sent(caller) as stream:
        lease = begun(stream)
        assert lease.item.is_followed, "who takes it is told"
        for written, piece in (("The ferry", "The ferry"), ("The ferry leaves\nat", " leaves\nat")):
            assert following.write(lease.item, written)
            assert stream.next().text == piece
        assert Message.select().count() == 0
        finish(lease, "The ferry leaves\nat noon.")
        assert stream.next().text == " noon."
        done = stream.next()
        assert (done.name, done.data["reply"]["content"]) == ("done", "The ferry leaves\nat noon.")
        assert list(stream) == []


def test_who_is_slow_gets_fewer_and_longer_pieces(caller: Program) -> None:
    with sent(caller) as stream:
        lease = begun(stream)
        for length in range(1, len(ANSWER)):
            following.write(lease.item, ANSWER[:length])
        assert stream.next().text == ANSWER[:-1]
        finish(lease)
        assert [event.name for event in stream] == ["text", "done"]


def test_an_attempt_that_failed_makes_the_text_begin_anew(caller: Program) -> None:
    with sent(caller) as stream:
        first = begun(stream)
        following.write(first.item, "The bus")
        assert stream.next().text == "The bus"
        first.retry("It broke off.", 0)
        second = begun(stream)
        following.write(second.item, "The fer")
        restart = stream.next()
        assert (restart.name, restart.id) == ("restart", "0-")
        assert stream.next().text == "The fer"
        finish(second)
        assert [event.data.get("text") for event in stream] == ["ry leaves at noon.", None]


def test_a_last_attempt_that_failed_ends_with_the_apology_alone(caller: Program) -> None:
    with sent(caller) as stream:
        lease = begun(stream)
        following.write(lease.item, "The ferry")
        stream.next()
        apologise_and_bury(lease, "The provider refused the key.")
        rest = list(stream)
    assert [event.name for event in rest] == ["restart", "text", "done"]
    assert (rest[1].text, rest[2].data["state"]) == (APOLOGY, "failed")


def test_who_was_cut_off_goes_on_where_they_were(caller: Program) -> None:
    with sent(caller) as stream:
        lease = begun(stream)
        following.write(lease.item, "The ferry")
        reached = stream.next().id
    with followed(caller, reached) as stream:
        assert stream.next().name == "answering"
        following.write(lease.item, "The ferry leaves")
        assert stream.next().text == " leaves"
    finish(lease)
    with followed(caller, reached) as stream:
        assert [event.data.get("text") for event in stream] == [" leaves at noon.", None]
    with followed(caller) as stream:
        first, done = stream
        assert (first.text, done.name) == (ANSWER, "done")
    with followed(caller, first.id) as stream:
        assert [event.name for event in stream] == ["done"], "they have it all"


def test_who_was_cut_off_before_the_text_began_anew_is_told_so(caller: Program) -> None:
    with sent(caller) as stream:
        lease = begun(stream)
        following.write(lease.item, "The bus")
        reached = stream.next().id
    finish(lease)
    with followed(caller, reached) as stream:
        restart, text, done = stream
    assert (restart.name, text.text, done.name) == ("restart", ANSWER, "done")


def test_sent_again_with_its_key_it_goes_on_where_it_was(caller: Program) -> None:
    with sent(caller, **{"Idempotency-Key": "one"}) as stream:
        lease = begun(stream)
        following.write(lease.item, "The ferry")
        reached = stream.next().id
    finish(lease)
    with sent(caller, **{"Idempotency-Key": "one", "Last-Event-ID": reached}) as stream:
        assert [event.data.get("text") for event in stream] == [" leaves at noon.", None]
    assert InboxItem.select().count() == 1


@ONE_ENGINE
def test_what_is_written_for_another_message_of_the_thread_is_not_taken_for_ones_own(caller: Program) -> None:
    with sent(caller) as stream:
        lease = begun(stream)
        body = {"chatbot_id": 1, "message": "And back?", "thread": lease.item.thread}
        with Stream(caller.post("/chat/stream", body, buffered=False)) as second:
            assert second.next().name == "queued"
            following.write(lease.item, "The ferry")
            assert stream.next().text == "The ferry"
            finish(lease)
            finish(taken(), "At one.")
            names = [(event.name, event.data.get("text")) for event in second]
    assert names == [("text", "At one."), ("done", None)]


@ONE_ENGINE
def test_where_too_many_follow_the_address_that_does_not_wait_is_named(caller: Program) -> None:
    with sent(caller) as stream:
        stream.next()
    with ExitStack() as seats:
        assert all(seats.enter_context(replies.seat()) for _ in range(replies.SEATS))
        number = InboxItem.get().id
        refused = caller.get(f"/chat/{number}/stream")
        assert (refused.status_code, error_of(refused)) == (503, "unavailable")
        assert f"or use GET /chat/{number}, which does not wait." in refused.text
