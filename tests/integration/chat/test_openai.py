"""The provider for OpenAI-compatible endpoints, against a server on this machine that behaves well, badly and worse."""

from __future__ import annotations

import threading
import time

import pytest

from service.chat.cancel import Cancelled
from service.chat.providers import Cut, Tool, ToolCall, Turn, Usage
from service.chat.providers.openai import OpenAI
from tests.support.endpoint import (
    Endpoint,
    Pause,
    Reply,
    UntilLeft,
    calling,
    delta,
    endpoint,
    event,
    refusing,
    saying,
)
from tests.support.openai import KEY, answer, request
from tests.support.processes import HANGS, eventually


def test_an_answer_comes_in_pieces_with_its_cost(provider: OpenAI) -> None:
    with endpoint(saying("Hello, ", "Ada.", tokens=(12, 3))) as server:
        assert answer(provider, request(server)) == ["Hello, ", "Ada.", Usage(12, 3)]


def test_the_request_says_what_the_version_says(provider: OpenAI) -> None:
    config = {"temperature": 0.2, "max_tokens": 50, "request": {"seed": 7, "stream_options": None}}
    tools = (Tool("add", "Adds.", {"type": "object"}),)
    turns = (
        Turn("user", "What is 1 + 2?"),
        Turn("assistant", "", calls=(ToolCall("c1", "add", '{"a": 1}'),)),
        Turn("tool", "3", call_id="c1"),
    )
    with endpoint(saying("3")) as server:
        answer(provider, request(server, config, history=turns, tools=tools, may_call=False))
    (asked,) = server.asked
    assert asked.path == "/v1/chat/completions"
    assert asked.headers["authorization"] == f"Bearer {KEY}"
    function = {"name": "add", "arguments": '{"a": 1}'}
    assert asked.body == {
        "model": "small",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "What is 1 + 2?"},
            {
                "role": "assistant",
                "content": "",
                "tool_calls": [{"id": "c1", "type": "function", "function": function}],
            },
            {"role": "tool", "tool_call_id": "c1", "content": "3"},
        ],
        "stream": True,
        "temperature": 0.2,
        "max_tokens": 50,
        "tools": [
            {"type": "function", "function": {"name": "add", "description": "Adds.", "parameters": {"type": "object"}}}
        ],
        "tool_choice": "none",
        "seed": 7,
    }


def test_without_a_key_or_a_prompt_none_is_sent(provider: OpenAI) -> None:
    with endpoint(saying("Hi.")) as server:
        answer(provider, request(server, {"api_key_env": None}, system_prompt=" "))
    assert "authorization" not in server.asked[0].headers
    assert [message["role"] for message in server.asked[0].body["messages"]] == ["user"]


def test_calls_are_put_together_from_their_pieces(provider: OpenAI) -> None:
    with endpoint(calling(("c1", "add", '{"a": 1, "b": 2}'), ("c2", "now", ""))) as server:
        assert answer(provider, request(server)) == [
            ToolCall("c1", "add", '{"a": 1, "b": 2}'),
            ToolCall("c2", "now", "{}"),
        ]


def test_calls_without_numbers_are_kept_apart_by_their_ids(provider: OpenAI) -> None:
    calls = [{"id": number, "function": {"name": "now", "arguments": "{}"}} for number in ("c1", "c2")]
    reply = Reply((event(delta("tool_calls", tool_calls=calls)), event("[DONE]")))
    with endpoint(reply) as server:
        assert answer(provider, request(server)) == [ToolCall("c1", "now", "{}"), ToolCall("c2", "now", "{}")]


def test_characters_that_were_cut_in_two_on_their_way_arrive_whole(provider: OpenAI) -> None:
    stream = b"".join(piece for piece in saying("Grüße 👋 ", "день").pieces if isinstance(piece, bytes))
    drops = tuple(stream[place : place + 1] for place in range(len(stream)))
    with endpoint(Reply(drops)) as server:
        assert answer(provider, request(server)) == ["Grüße 👋 ", "день"]


def test_an_answer_that_was_cut_says_so(provider: OpenAI) -> None:
    with endpoint(saying("And then", finish="length")) as server:
        assert answer(provider, request(server)) == ["And then", Cut()]


def test_a_refusal_of_the_model_is_its_answer(provider: OpenAI) -> None:
    with endpoint(Reply((event(delta("stop", refusal="I won't.")), event("[DONE]")))) as server:
        assert answer(provider, request(server)) == ["I won't."]


@pytest.mark.parametrize("began", [True, False])
def test_a_cancelled_answer_hangs_up_at_once(provider: OpenAI, began: bool) -> None:
    cancelled = threading.Event()
    first = (event(delta(content="Once")),) if began else ()
    with endpoint(Reply((*first, UntilLeft(b": wait\n\n")))) as server:
        chunks = provider.stream(request(server, is_cancelled=cancelled.is_set))
        if began:
            assert next(chunks) == "Once"
        threading.Thread(target=_when_asked, args=(server, cancelled), daemon=True).start()
        with pytest.raises(Cancelled):
            list(chunks)
        assert server.left.wait(HANGS)


def _when_asked(server: Endpoint, cancelled: threading.Event) -> None:
    eventually(lambda: server.asked)
    cancelled.set()


def test_a_listener_who_goes_away_hangs_up_too(provider: OpenAI) -> None:
    with endpoint(Reply((event(delta(content="Once")), UntilLeft(b": wait\n\n")))) as server:
        chunks = provider.stream(request(server))
        next(chunks)
        chunks.close()  # type: ignore[attr-defined]  # it is a generator
        assert server.left.wait(HANGS)


def test_nobody_waits_through_a_pause_for_an_answer_that_was_cancelled(
    provider: OpenAI, monkeypatch: pytest.MonkeyPatch
) -> None:
    cancelled = threading.Event()
    monkeypatch.setattr("service.chat.providers.openai.LONGEST_PAUSE", 2 * HANGS)
    with endpoint(refusing(503, **{"Retry-After": str(2 * HANGS)})) as server:
        threading.Thread(target=_when_asked, args=(server, cancelled), daemon=True).start()
        began = time.monotonic()
        with pytest.raises(Cancelled):
            answer(provider, request(server, is_cancelled=cancelled.is_set))
    assert time.monotonic() - began < HANGS


def test_half_a_character_in_what_was_said_does_not_keep_it_from_being_asked(provider: OpenAI) -> None:
    with endpoint(saying("Hi.")) as server:
        assert answer(provider, request(server, history=(Turn("user", "\ud83d"),))) == ["Hi."]
    assert server.asked[0].body["messages"][-1]["content"] == "\ud83d"


def test_a_slow_endpoint_is_waited_for(provider: OpenAI) -> None:
    with endpoint(Reply((Pause(0.3), *saying("Hi.").pieces))) as server:
        assert answer(provider, request(server)) == ["Hi."]
