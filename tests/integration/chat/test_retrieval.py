"""Answers with passages from a search endpoint on this machine, and without them when it fails."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest

from service.chat.cancel import Cancelled
from service.chat.outside import Outside
from service.chat.respond import respond
from service.chat.retrieval import HEADING
from service.models import Message
from tests.support.chat import make_chatbot, send
from tests.support.endpoint import Reply, UntilLeft, answering_json, endpoint, refusing
from tests.support.processes import HANGS
from tests.support.providers import Recorder

pytestmark = [
    pytest.mark.usefixtures("service_database"),
    pytest.mark.parametrize("service_database", ["sqlite"], indirect=True),
]

KEY = "key-that-must-stay-secret"
HOURS = {"passages": [{"text": " Open until six.\n", "source": "hours.md"}]}


@pytest.fixture
def outside() -> Iterator[Outside]:
    outside = Outside({"TEST_API_KEY": KEY})
    yield outside
    outside.close()


def answered(outside: Outside, rag_settings: dict[str, Any], **settings: Any) -> tuple[Message, Recorder]:
    recorder = Recorder()
    item = send(make_chatbot(rag_settings=rag_settings, **settings), "When do you close?")
    return respond(item, {"offline": recorder}, lambda: None, outside), recorder


def test_passages_go_along_with_the_question_and_their_sources_are_kept(outside: Outside) -> None:
    with endpoint(answering_json(HOURS)) as server:
        given = {"url": server.base, "top_k": 3, "api_key_env": "TEST_API_KEY"}
        reply, recorder = answered(outside, given, vector_namespace="harbour", ingestion_run_ids=[7, 8])
    (asked,) = server.asked
    assert asked.body == {
        "query": "When do you close?",
        "top_k": 3,
        "namespace": "harbour",
        "ingestion_run_ids": [7, 8],
    }
    assert asked.headers["authorization"] == f"Bearer {KEY}"
    assert recorder.requests[0].system_prompt == f"Be brief.\n\n{HEADING}\n\n[1] hours.md\nOpen until six."
    assert reply.metadata == {"sources": ["hours.md"]}


@pytest.mark.parametrize(
    ("rag", "settings", "namespace"),
    [
        ({"namespace": "own"}, {"vector_namespace": "vector", "pinecone_namespace": "pinecone"}, "own"),
        ({}, {"vector_namespace": "vector", "pinecone_namespace": "pinecone"}, "vector"),
        ({}, {"pinecone_namespace": "pinecone"}, "pinecone"),
        ({}, {}, None),
    ],
)
def test_the_nearest_namespace_counts(
    outside: Outside, rag: dict[str, Any], settings: dict[str, Any], namespace: str | None
) -> None:
    with endpoint(answering_json(HOURS)) as server:
        answered(outside, {"url": server.base} | rag, **settings)
    assert server.asked[0].body["namespace"] == namespace


def test_without_an_address_nothing_is_asked(outside: Outside) -> None:
    reply, recorder = answered(outside, {"top_k": 3})
    assert (reply.metadata, recorder.requests[0].system_prompt) == ({}, "Be brief.")


def test_where_nothing_is_found_the_answer_has_no_sources(outside: Outside) -> None:
    with endpoint(answering_json({"passages": [{"text": " "}, {"source": "empty.md"}, "text"]})) as server:
        reply, recorder = answered(outside, {"url": server.base})
    assert (reply.metadata, recorder.requests[0].system_prompt) == ({"sources": []}, "Be brief.")


FAULTS: list[tuple[Reply, str]] = [
    (refusing(500), "answered 500."),
    (refusing(307, b"", Location="http://127.0.0.1:9/steal"), "answered 307."),
    (answering_json(["text"]), 'has to answer {"passages": [{"text": …, "source": …}]}.'),
    (answering_json({"passages": "text"}), 'has to answer {"passages": [{"text": …, "source": …}]}.'),
    (refusing(200, b"{half"), 'has to answer {"passages": [{"text": …, "source": …}]}.'),
    (refusing(200, b"[" * 100_000), 'has to answer {"passages": [{"text": …, "source": …}]}.'),
    (Reply((UntilLeft(b"x" * 100_000, every=0),)), "sent more than 2,000,000 bytes."),
    (Reply((b"x",), headers={"Content-Length": "9"}), "can't be reached: RemoteProtocolError."),
]


@pytest.mark.parametrize(("reply", "words"), FAULTS)
def test_a_retrieval_that_fails_leaves_an_answer_without_it_and_a_record(
    outside: Outside, reply: Reply, words: str
) -> None:
    with endpoint(reply) as server:
        message, recorder = answered(outside, {"url": server.base, "api_key_env": "TEST_API_KEY"})
    assert message.content == "Noted."
    assert str(message.metadata["retrieval_error"]).endswith(words)
    assert recorder.requests[0].system_prompt == "Be brief."


def test_a_retrieval_that_never_ends_is_not_waited_for(outside: Outside) -> None:
    with endpoint(Reply((UntilLeft(b" "),))) as server:
        message, _ = answered(outside, {"url": server.base, "timeout": 0.5})
    assert message.content == "Noted."
    assert str(message.metadata["retrieval_error"]).endswith("took longer than 0.5 s (rag_settings.timeout).")


def closed_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return f"http://127.0.0.1:{free.getsockname()[1]}"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "can't be reached: ConnectError."),
        ({"api_key_env": "OTHER_API_KEY"}, "OTHER_API_KEY is not set: give it"),
        ({"top_k": "many"}, "rag_settings.top_k has to be a whole number from 1 to 50."),
    ],
)
def test_a_retrieval_that_can_not_be_asked_is_recorded_too(outside: Outside, given: dict[str, Any], words: str) -> None:
    reply, _recorder = answered(outside, {"url": closed_port()} | given)
    assert words in reply.metadata["retrieval_error"]


def test_the_operators_limits_hold_for_retrieval_too() -> None:
    reply, _recorder = answered(Outside(allowed=["https://api.example.com"]), {"url": closed_port()})
    assert "is not among the addresses that PROVIDER_URLS allows" in reply.metadata["retrieval_error"]


def test_nobody_waits_for_a_retrieval_when_nobody_waits_for_the_answer(outside: Outside) -> None:
    with endpoint(Reply((UntilLeft(b" "),))) as server:
        item = send(make_chatbot(rag_settings={"url": server.base, "timeout": 60}), "When?")
        with pytest.raises(Cancelled):
            respond(item, {"offline": Recorder()}, lambda: None, outside, is_cancelled=lambda: bool(server.asked))
        assert server.left.wait(HANGS)
