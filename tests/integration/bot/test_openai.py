"""A worker process that answers by an endpoint on this machine."""

from __future__ import annotations

import json
import signal
import sys
from pathlib import Path

import pytest

from service.models import DEAD, DONE, QUEUED, Chatbot, Message, ToolLog
from service.url import ROOT
from tests.support.chat import make_chatbot, reloaded, send, transcript
from tests.support.endpoint import Endpoint, Reply, UntilLeft, delta, endpoint, event, refusing, saying
from tests.support.processes import HANGS, eventually
from tests.support.workers import Workers

pytestmark = pytest.mark.parametrize("service_database", ["sqlite"], indirect=True)
KEY = "sk-that-must-stay-secret"


def chatbot_at(server: Endpoint) -> Chatbot:
    config = {"base_url": server.base, "api_key_env": "TEST_API_KEY"}
    return make_chatbot(model_provider="openai", model_name="small", config=config)


def test_a_worker_answers_by_an_endpoint_and_keeps_what_it_cost(started: Workers) -> None:
    with endpoint(saying("Noon", ".", tokens=(20, 2))) as server:
        item = send(chatbot_at(server), "When?")
        started.start(TEST_API_KEY=KEY)
        eventually(lambda: reloaded(item).state == DONE)
    reply = Message.get(Message.role == "assistant")
    assert (reply.content, reply.input_tokens, reply.output_tokens) == ("Noon.", 20, 2)
    assert server.asked[0].headers["authorization"] == f"Bearer {KEY}"


def test_a_key_that_is_refused_reaches_the_operator_and_neither_log_nor_person(started: Workers) -> None:
    with endpoint(refusing(401, {"error": {"message": f"Incorrect key {KEY}, you asked: When?"}})) as server:
        item = send(chatbot_at(server), "When?")
        started.start(TEST_API_KEY=KEY)
        eventually(lambda: reloaded(item).state == DEAD)
    error = str(Message.get(Message.role == "assistant").error)
    assert "Incorrect key …" in error
    assert "Give the process that answers a valid key in TEST_API_KEY" in error
    assert reloaded(item).error == error
    assert KEY not in started.log
    assert "When?" not in started.log
    assert "401" not in transcript()[1][1]


def test_an_overloaded_endpoint_is_asked_again_when_it_says_and_the_attempt_does_not_count(started: Workers) -> None:
    with endpoint(refusing(429, **{"Retry-After": "2.5"}), saying("Noon.")) as server:
        item = send(chatbot_at(server), "When?")
        started.start(TEST_API_KEY=KEY)
        eventually(lambda: reloaded(item).state == DONE)
    assert reloaded(item).attempts == 1
    assert f"inbox {item.id}: put off for 2.5 s" in started.log


def test_a_worker_that_stops_hangs_up_on_an_endless_answer_and_gives_the_message_back(started: Workers) -> None:
    with endpoint(Reply((event(delta(content="Once")), UntilLeft(b": wait\n\n")))) as server:
        item = send(chatbot_at(server), "When?")
        process = started.start(TEST_API_KEY=KEY, TEST_DRAIN_SECONDS="0.3")
        eventually(lambda: server.asked)
        process.send_signal(signal.SIGTERM)
        assert process.wait(HANGS) == 0
        assert server.left.wait(HANGS)
    assert (reloaded(item).state, reloaded(item).attempts) == (QUEUED, 0)
    assert Message.select().count() == 0


def test_a_worker_uses_the_operators_tools_and_ends_their_server_when_it_stops(
    started: Workers, tmp_path: Path
) -> None:
    log = tmp_path / "tools"
    command = [sys.executable, "-m", "tests.support.mcp_server"]
    given = {"shop": {"command": command, "env": {"PYTHONPATH": str(ROOT), "TEST_LOG": str(log)}}}
    item = send(make_chatbot(config={"mcp_servers": ["shop"]}), 'Please add {"a": 1, "b": 2}')
    process = started.start(MCP_SERVERS=json.dumps(given))
    eventually(lambda: reloaded(item).state == DONE)
    assert "The tool said: “3”." in transcript()[1][1]
    assert ToolLog.get().result == "3"
    process.send_signal(signal.SIGTERM)
    assert process.wait(HANGS) == 0
    server = int(log.read_text().split()[1])
    eventually(lambda: not Path(f"/proc/{server}").exists())


def test_servers_that_are_not_well_defined_stop_the_start(started: Workers) -> None:
    process = started.start(MCP_SERVERS='{"shop": {"command": "sh"}}')
    assert process.wait(HANGS) == 2
    assert started.log == 'MCP_SERVERS: shop needs a command as a list of words: ["program", "argument"].\n'
