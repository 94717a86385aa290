"""An answer is seen while a worker writes it: a slow provider, a worker and the panel, each a process or a socket."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from service.api import tokens
from service.models import DONE, InboxItem, Message, User
from service.url import DatabaseUrl
from tests.support.chat import make_chatbot, transcript
from tests.support.endpoint import Endpoint, Reply, Until, UntilLeft, delta, endpoint, event, saying
from tests.support.panel import ONE_ENGINE, add_user
from tests.support.postgresql import free_port
from tests.support.processes import HANGS, Start, environment, eventually
from tests.support.workers import LONG, Workers, workers

ANSWER = "The ferry leaves at noon."


@pytest.fixture
def started(service_database: DatabaseUrl, tmp_path: Path) -> Iterator[Workers]:
    with workers(service_database, tmp_path) as handle:
        yield handle


@pytest.fixture
def program(service_database: DatabaseUrl, start: Start) -> Iterator[httpx.Client]:
    port = free_port()
    env = environment(service_database, SECRET_KEY="of the tests", PORT=str(port))
    start("entrypoints/admin-panel.sh", env=env).serves(port)
    headers = {"Authorization": f"Bearer {tokens.issue(add_user(), 'Test', tokens.SCOPES).key}"}
    with httpx.Client(base_url=f"http://127.0.0.1:{port}/api", headers=headers, timeout=HANGS) as client:
        yield client


class Event(NamedTuple):
    name: str
    id: str
    data: Any


@contextmanager
def followed(program: httpx.Client, *request: Any, **more: Any) -> Iterator[Iterator[Event]]:
    with program.stream(*request, **more) as response:
        assert response.status_code == 200
        yield _events(response.iter_lines())


def _events(lines: Iterator[str]) -> Iterator[Event]:
    fields: dict[str, str] = {}
    for line in lines:
        if line and not line.startswith(":"):
            name, _, value = line.partition(": ")
            fields[name] = value
        elif fields:
            yield Event(fields["event"], fields.get("id", ""), json.loads(fields["data"]))
            fields = {}


def asked(program: httpx.Client, server: Endpoint, worker: Workers, lease: str = LONG) -> Any:
    """The question is sent, by a stream that is to be opened."""
    config = {"base_url": server.base, "api_key_env": "TEST_API_KEY"}
    chatbot = make_chatbot(user=User.get(), model_provider="openai", model_name="small", config=config)
    worker.start(TEST_API_KEY="sk-of-the-tests", LEASE_SECONDS=lease)
    return followed(program, "POST", "/chat/stream", json={"chatbot_id": chatbot.id, "message": "When?"})


def up_to_text(events: Iterator[Event]) -> Event:
    return next(event for event in events if event.name == "text")


def all_text(events: list[Event]) -> str:
    return "".join(event.data["text"] for event in events if event.name == "text")


def pieces(*texts: str, go_on: threading.Event) -> Reply:
    """The first piece, and once the test says so the rest."""
    first, *rest = (event(delta(content=text)) for text in texts)
    return Reply((first, Until(go_on), *rest, event(delta("stop")), event("[DONE]")))


def test_the_first_words_are_seen_before_the_last_are_written_by_all_who_follow(
    program: httpx.Client, started: Workers
) -> None:
    seen = threading.Event()
    slow = pieces("The ferry", " leaves", " at noon.", go_on=seen)
    with endpoint(slow) as server, asked(program, server, started) as events:
        first = up_to_text(events)
        assert first.data["text"] == "The ferry"
        assert Message.select().count() == 0
        with followed(program, "GET", f"/chat/{InboxItem.get().id}/stream") as others:
            assert up_to_text(others) == first
            seen.set()
            rest, others_rest = list(events), list(others)
    assert all_text([first, *rest]) == all_text([first, *others_rest]) == ANSWER
    assert (rest[-1].name, rest[-1].data["reply"]["content"]) == ("done", ANSWER)


def test_a_worker_that_is_killed_is_followed_by_one_that_begins_anew(program: httpx.Client, started: Workers) -> None:
    broken_off = Reply((event(delta(content="The bus")), UntilLeft(b": wait\n\n")))
    replies = (broken_off, saying("The ferry leaves", " at noon."))
    with endpoint(*replies) as server, asked(program, server, started, lease="1") as events:
        assert up_to_text(events).data["text"] == "The bus"
        started.processes[0].send_signal(signal.SIGKILL)
        started.start(TEST_API_KEY="sk-of-the-tests")
        rest = list(events)
    names = [event.name for event in rest]
    assert names.count("restart") == 1
    assert all_text(rest[names.index("restart") :]) == ANSWER
    assert all_text(rest[: names.index("restart")]) == ""
    assert rest[-1].data["reply"]["content"] == ANSWER
    assert transcript(InboxItem.get().thread) == [("user", "When?"), ("assistant", ANSWER)]


@ONE_ENGINE
def test_who_takes_nothing_for_a_while_holds_up_nobody_and_gets_all_of_it(
    program: httpx.Client, started: Workers
) -> None:
    seen = threading.Event()
    chunk = event(delta(content="🐙 and so on " * 400))
    long = Reply((chunk, Until(seen), *(chunk,) * 50, event(delta("stop")), event("[DONE]")))
    with endpoint(long) as server, asked(program, server, started) as events:
        first = up_to_text(events)
        seen.set()
        eventually(lambda: InboxItem.get().state == DONE)
        rest = list(events)
    stored = Message.get(Message.role == "assistant").content
    assert len(stored) > 200_000
    assert all_text([first, *rest]) == rest[-1].data["reply"]["content"] == stored
    assert len(rest) < 50, "in pieces that are longer than they were written in"
