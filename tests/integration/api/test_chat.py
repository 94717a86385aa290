"""Talking to a chatbot over the HTTP API."""

from __future__ import annotations

import json
from contextlib import ExitStack
from typing import Any

import pytest

from service.api import replies
from service.chat import deletion
from service.chat.respond import apologise
from service.database import proxy
from service.models import DEAD, LEASED, Conversation, InboxItem, Message, Persona, User
from service.models.base import utc_now
from service.url import DatabaseUrl
from tests.support.api import Program, answered, error_of, program, worker
from tests.support.chat import make_chatbot, transcript
from tests.support.clock import Clock
from tests.support.panel import ONE_ENGINE, add_user, panel

UNUSABLE: tuple[dict[str, Any], ...] = (
    *({"message": ""}, {"message": " \n"}, {"message": "a\0"}, {"message": "x" * 20_001}, {"message": 7}),
    *({"chatbot_id": "1"}, {"chatbot_id": True}, {"chatbot_id": 2**31}, {"persona_id": 0}),
    *({"wait": 31}, {"wait": -1}, {"thread": ""}, {"thread": "x" * 101}),
)


@pytest.fixture
def user(service_database: DatabaseUrl) -> User:
    return add_user()


@pytest.fixture
def caller(user: User, service_database: DatabaseUrl) -> Program:
    make_chatbot(user=user)
    return program(panel(service_database), user)


def say(caller: Program, message: str = "Hello", *, key: str = "", **more: Any) -> Any:
    headers = {"Idempotency-Key": key} if key else {}
    return caller.post("/chat", {"chatbot_id": 1, "message": message} | more, headers=headers)


def test_a_message_is_answered_while_one_waits(caller: Program, user: User) -> None:
    with worker():
        response = say(caller, thread="customer 7")
    answer = response.get_json()
    assert (response.status_code, answer["state"]) == (200, "answered")
    assert "“Hello”" in answer["reply"]["content"]
    assert (answer["thread"], answer["version"], answer["reply"]["is_apology"]) == ("customer 7", 1, False)
    assert answer["reply"]["reply_to"] == answer["question_id"]
    conversation = Conversation.get_by_id(answer["conversation_id"])
    assert (conversation.channel, conversation.user) == ("api", user)
    assert proxy.obj.execute_sql("SELECT count(*) FROM outbox").fetchone() == (0,), "who asked here comes for it"


def test_who_does_not_wait_gets_an_address_to_ask_at(caller: Program) -> None:
    response = say(caller, wait=0)
    waiting = response.get_json()
    assert (response.status_code, waiting["state"], waiting["reply"]) == (202, "queued", None)
    assert response.headers["Location"] == waiting["url"]
    path = waiting["url"].removeprefix("/api")
    assert caller.get(path).status_code == 202
    InboxItem.update(state=LEASED).execute()
    assert caller.get(path).get_json()["state"] == "answering"
    answered(InboxItem.get())
    done = caller.get(path)
    assert (done.status_code, done.get_json()["state"]) == (200, "answered")


def test_a_thread_or_the_number_of_a_conversation_goes_on_with_it(caller: Program) -> None:
    with worker():
        first = say(caller, "One", thread="t").get_json()
        second = say(caller, "Two", thread="t").get_json()
        third = say(caller, "Three", conversation_id=first["conversation_id"]).get_json()
        other = say(caller, "Four").get_json()
    assert first["conversation_id"] == second["conversation_id"] == third["conversation_id"]
    assert other["conversation_id"] != first["conversation_id"]
    assert [content for role, content in transcript("t") if role == "user"] == ["One", "Two", "Three"]


@ONE_ENGINE
def test_a_conversation_that_can_not_go_on_here_is_refused(caller: Program, user: User) -> None:
    elsewhere = Conversation.create(chatbot=1, channel="telegram", thread="1", title="t")
    others = Conversation.create(chatbot=make_chatbot(user=user), channel="api", thread="1", title="t")
    for conversation in (elsewhere, others):
        response = say(caller, wait=0, conversation_id=conversation.id)
        assert (response.status_code, error_of(response)) == (409, "conflict")
    assert error_of(say(caller, conversation_id=987)) == "not_found"
    assert error_of(say(caller, persona_id=987)) == "not_found"
    sleeping = Persona.create(user=user, name="Pirate", is_active=False)
    assert error_of(say(caller, persona_id=sleeping.id)) == "conflict"
    assert InboxItem.select().count() == 0


def test_one_speaks_as_the_persona_that_was_asked_for(caller: Program, user: User) -> None:
    persona = Persona.create(user=user, name="Pirate", instructions="Arr.")
    with worker():
        assert say(caller, persona_id=persona.id).get_json()["reply"]["persona_id"] == persona.id


@ONE_ENGINE
@pytest.mark.parametrize("body", UNUSABLE)
def test_what_can_not_be_used_is_named_and_not_stored(caller: Program, body: dict[str, Any]) -> None:
    response = caller.post("/chat", {"chatbot_id": 1, "message": "Hello", "wait": 0} | body)
    assert (response.status_code, error_of(response)) == (422, "invalid")
    assert response.get_json()["error"]["details"][0]["field"].startswith("body.")
    assert InboxItem.select().count() == 0


@ONE_ENGINE
def test_half_a_character_is_refused(caller: Program) -> None:
    response = caller.ask(
        "POST", "/chat", data=b'{"chatbot_id": 1, "message": "\\ud83d"}', content_type="application/json"
    )
    assert error_of(response) == "invalid"


def test_a_request_sent_again_is_answered_once(caller: Program) -> None:
    first = say(caller, key="a-key", wait=0).get_json()
    with worker():
        again = say(caller, key="a-key")
    assert again.status_code == 200
    assert again.get_json()["id"] == first["id"]
    assert say(caller, key="a-key").get_json() == again.get_json()
    assert (InboxItem.select().count(), Message.select().count()) == (1, 2)


def test_a_key_belongs_to_one_message_and_one_token(caller: Program, user: User) -> None:
    say(caller, key="k", wait=0)
    for other in ({"message": "Other"}, {"thread": "t"}):
        response = caller.post(
            "/chat", {"chatbot_id": 1, "message": "Hello", **other}, headers={"Idempotency-Key": "k"}
        )
        assert (response.status_code, error_of(response)) == (422, "key_reused")
    assert say(program(caller.client.application, user), key="k", wait=0).status_code == 202
    assert InboxItem.select().count() == 2


@ONE_ENGINE
@pytest.mark.parametrize("key", ["", "a key", " " * 201, "é", "x" * 201])
def test_a_key_that_can_not_be_kept_is_refused(caller: Program, key: str) -> None:
    response = caller.post("/chat", {"chatbot_id": 1, "message": "Hello"}, headers={"Idempotency-Key": key})
    assert error_of(response) == "invalid"
    assert InboxItem.select().count() == 0


def test_an_apology_is_told_from_an_answer(caller: Program) -> None:
    say(caller, wait=0)
    item = InboxItem.get()
    apologise(item, "The key of the operator is wrong.", lambda: _bury(item))
    response = caller.get(f"/chat/{item.id}")
    answer = response.get_json()
    assert (response.status_code, answer["state"], answer["reply"]["is_apology"]) == (200, "failed", True)
    assert "key of the operator" not in response.text


def _bury(item: InboxItem) -> None:
    InboxItem.update(state=DEAD, finished_at=utc_now()).where(InboxItem.id == item.id).execute()


def test_a_deleted_conversation_is_not_begun_anew_by_its_key(caller: Program) -> None:
    with worker():
        say(caller, key="k")
    deletion.delete(Conversation.get())
    assert caller.get(f"/chat/{InboxItem.get().id}").get_json()["state"] == "deleted"
    response = say(caller, key="k")
    assert (response.status_code, error_of(response)) == (409, "deleted")
    assert Message.select().count() == 0


@ONE_ENGINE
def test_where_too_many_wait_the_message_is_stored_and_the_address_given(caller: Program) -> None:
    with ExitStack() as seats:
        assert all(seats.enter_context(replies.seat()) for _ in range(replies.SEATS))
        response = say(caller)
        assert response.status_code == 202
        refused = caller.post("/chat/stream", {"chatbot_id": 1, "message": "Hello"})
        assert (refused.status_code, error_of(refused)) == (503, "unavailable")
        assert error_of(caller.get("/export")) == "unavailable"
    assert InboxItem.select().count() == 1
    assert caller.get("/export").status_code == 200


@ONE_ENGINE
def test_no_connection_is_held_while_one_waits(caller: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    held: list[bool] = []

    class Looking(Clock):
        def sleep(self, seconds: float) -> None:
            super().sleep(seconds)
            held.append(not proxy.obj.is_closed())

    monkeypatch.setattr("service.api.replies.time", Looking())
    proxy.obj.close()
    say(caller, wait=0.1)
    assert held
    assert not any(held)


Event = tuple[str, Any]


def events(text: str) -> list[Event]:
    found = []
    for block in text.split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if lines:
            found.append((lines["event"], json.loads(lines["data"])))
    return found


def test_a_stream_tells_how_far_it_is_and_ends_with_the_answer(caller: Program) -> None:
    response = caller.post("/chat/stream", {"chatbot_id": 1, "message": "Two\nlines"}, buffered=False)
    assert (response.status_code, response.mimetype) == (200, "text/event-stream")
    heard = response.iter_encoded()
    told = events(next(heard).decode())  # before anybody works on it
    with worker():
        told += events(b"".join(heard).decode())
    response.close()
    assert told[0][0] == "queued"
    assert told[-1][0] == "done"
    pieces = [data["text"] for name, data in told if name == "text"]
    assert "".join(pieces) == told[-1][1]["reply"]["content"] == Message.get(Message.role == "assistant").content


@ONE_ENGINE
def test_a_stream_says_that_it_lives_and_ends_when_it_takes_too_long(
    caller: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.api.replies.time", Clock())
    text = caller.post("/chat/stream", {"chatbot_id": 1, "message": "Hello"}).text
    assert ": still there\n\n" in text
    assert [name for name, _data in events(text)] == ["queued", "late"]


@ONE_ENGINE
def test_a_stream_that_is_left_gives_its_seat_back(caller: Program) -> None:
    for _ in range(replies.SEATS + 1):
        response = caller.post("/chat/stream", {"chatbot_id": 1, "message": "Hello"}, buffered=False)
        assert response.status_code == 200
        response.close()
