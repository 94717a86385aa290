"""The HTTP API as it is served: over sockets, to clients that leave and clients that dawdle."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from service.api import replies, tokens
from service.database import proxy, writing
from service.models import DONE, Conversation, InboxItem, Message
from service.url import DatabaseUrl
from tests.support.chat import make_chatbot
from tests.support.panel import ONE_ENGINE, add_user
from tests.support.postgresql import free_port
from tests.support.processes import HANGS, Start, answer, environment, eventually
from tests.support.workers import workers

QUESTION = {"chatbot_id": 1, "message": "Hello"}
SERVER = ("--config", "python:service.admin.server", "--threads", "12", "--no-control-socket")


@pytest.fixture
def address(service_database: DatabaseUrl, start: Start) -> str:
    port = free_port()
    command = ("gunicorn", "tests.support.impatient_panel:create_app()", "--bind", f"127.0.0.1:{port}", *SERVER)
    start(*command, env=environment(service_database, SECRET_KEY="a key of the tests"))
    eventually(lambda: answer(port, "/healthz") == 200)
    return f"http://127.0.0.1:{port}"


@pytest.fixture
def program(address: str) -> Iterator[httpx.Client]:
    user = add_user()
    make_chatbot(user=user, model_provider="gated")
    key = tokens.issue(user, "Test", tokens.SCOPES).key
    with httpx.Client(base_url=f"{address}/api", headers={"Authorization": f"Bearer {key}"}, timeout=HANGS) as client:
        yield client


def following(program: httpx.Client) -> httpx.Response:
    """A stream that has begun."""
    response = program.send(program.build_request("POST", "/chat/stream", json=QUESTION), stream=True)
    assert response.status_code == 200
    return response


def test_a_stream_shows_what_becomes_of_a_message(
    program: httpx.Client, service_database: DatabaseUrl, tmp_path: Path
) -> None:
    with workers(service_database, tmp_path) as started:
        started.start()
        response = following(program)
        lines = response.iter_lines()
        events = _events(lines)
        seen = next(events)[0]
        while seen != "answering":
            seen = next(events)[0]
        started.open_gate()
        rest = list(events)
        response.close()
    assert rest[-1][0] == "done"
    assert rest[-1][1]["reply"]["content"] == "Answer to Hello"


def _events(lines: Iterator[str]) -> Iterator[tuple[str, dict[str, dict[str, str]]]]:
    event = ""
    for line in lines:
        if line.startswith("event: "):
            event = line.removeprefix("event: ")
        if line.startswith("data: "):
            yield event, json.loads(line.removeprefix("data: "))


@ONE_ENGINE
def test_who_leaves_makes_room_at_once(program: httpx.Client) -> None:
    streams = [following(program) for _ in range(replies.SEATS)]
    assert program.post("/chat/stream", json=QUESTION).status_code == 503
    assert program.post("/chat", json=QUESTION).status_code == 202
    assert program.get("/chatbots").status_code == 200, "there is room for everybody else"
    for stream in streams:
        stream.close()
    eventually(lambda: _has_room(program))


def _has_room(program: httpx.Client) -> bool:
    response = program.send(program.build_request("GET", "/export"), stream=True)
    response.close()
    return response.status_code == 200


@ONE_ENGINE
def test_who_takes_nothing_is_let_go(program: httpx.Client) -> None:
    _fill()
    dawdlers = [_asking_for_all(program) for _ in range(replies.SEATS)]
    assert [dawdler.recv(12) for dawdler in dawdlers] == [b"HTTP/1.1 200"] * replies.SEATS
    eventually(lambda: _has_room(program))
    for dawdler in dawdlers:
        assert not _rest(dawdler).endswith(b"0\r\n\r\n"), "they were let go before it was complete"
        dawdler.close()


def _rest(client: socket.socket) -> bytes:
    """What was on its way still."""
    received = b""
    with suppress(ConnectionResetError):
        while piece := client.recv(65_536):
            received += piece
    return received


def _fill() -> None:
    """More than fits into the buffers between a server and a client."""
    conversation = Conversation.create(chatbot=1, title="Long", channel="api", thread="long")
    row = {"chatbot": 1, "conversation": conversation, "role": "user", "content": "x" * 20_000}
    with writing(proxy.obj):
        for _ in range(20):
            Message.insert_many([row] * 50).execute()


def _asking_for_all(program: httpx.Client) -> socket.socket:
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.connect((program.base_url.host, program.base_url.port or 80))
    key = program.headers["Authorization"]
    client.sendall(f"GET /api/export HTTP/1.1\r\nHost: x\r\nAuthorization: {key}\r\n\r\n".encode())
    return client


def test_an_answer_that_nobody_waited_for_is_there_when_they_ask_again(
    program: httpx.Client, service_database: DatabaseUrl, tmp_path: Path
) -> None:
    with pytest.raises(httpx.ReadTimeout):
        _asked(program, timeout=0.3)
    with workers(service_database, tmp_path) as started:
        started.start()
        started.open_gate()
        eventually(lambda: InboxItem.get_or_none(state=DONE))
        again = _asked(program)
    assert again.json()["reply"]["content"] == "Answer to Hello"
    assert InboxItem.select().count() == 1


def _asked(program: httpx.Client, timeout: float = HANGS) -> httpx.Response:
    return program.post("/chat", json=QUESTION, headers={"Idempotency-Key": "one"}, timeout=timeout)
