"""A live transcript as it is served: over a socket, by the real entrypoint."""

from __future__ import annotations

from itertools import takewhile

import httpx

from service.models import Conversation, Message, User
from service.url import DatabaseUrl
from tests.support.chat import make_chatbot
from tests.support.panel import EMAIL, ONE_ENGINE, PASSWORD, add_user
from tests.support.postgresql import free_port
from tests.support.processes import HANGS, Process, Start, environment
from tests.support.visitor import Visitor


def serving(url: DatabaseUrl, start: Start) -> tuple[Process, str]:
    port = free_port()
    env = environment(url, SECRET_KEY="a key of the tests", PORT=str(port))
    panel = start("entrypoints/admin-panel.sh", env=env)
    panel.serves(port)
    return panel, f"http://127.0.0.1:{port}"


def signed_in(address: str) -> httpx.Client:
    with Visitor(address) as visitor:
        visitor.sign_in(EMAIL, PASSWORD)
        return httpx.Client(base_url=address, headers={"Cookie": visitor.cookie}, timeout=HANGS)


@ONE_ENGINE
def test_a_stop_does_not_wait_for_those_who_follow_a_transcript(service_database: DatabaseUrl, start: Start) -> None:
    conversation = Conversation.create(chatbot=make_chatbot(user=add_user()), title="talk", thread="one")
    panel, address = serving(service_database, start)
    with signed_in(address) as http, http.stream("GET", f"/conversations/{conversation.id}/live") as response:
        lines = response.iter_lines()
        assert next(lines) == "retry: 2000"
        assert panel.terminated() == 0
        rest = list(lines)  # one that the panel had waited for until it lost patience would break off: an error
        assert not [line for line in rest if line.startswith("event: gone")], "the browser comes back by itself"


@ONE_ENGINE
def test_what_is_said_is_there_within_a_moment(service_database: DatabaseUrl, start: Start) -> None:
    chatbot = make_chatbot(user=add_user())
    conversation = Conversation.create(chatbot=chatbot, title="talk", thread="one")
    _panel, address = serving(service_database, start)
    with signed_in(address) as http, http.stream("GET", f"/conversations/{conversation.id}/live") as response:
        assert "content-encoding" not in response.headers, "packed, it would come when it is complete"
        lines = response.iter_lines()
        while next(lines) != "event: news":
            pass
        said = Message.create(chatbot=chatbot, conversation=conversation, role="user", user=User.get(), content="Hello")
        before = list(takewhile(lambda line: f'id="message-{said.id}"' not in line, lines))
        assert before.count(":") <= 1, "where nothing is new, that is said every ten seconds"
