"""The provider for OpenAI-compatible endpoints, against a server on this machine that behaves well, badly and worse."""

from __future__ import annotations

import gzip
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from service.chat.cancel import Cancelled
from service.chat.outside import Outside
from service.chat.providers import Chunk, Cut, ProviderError, Request, Tool, ToolCall, Turn, Usage
from service.chat.providers.openai import OpenAI
from tests.support.endpoint import (
    EVENTS,
    Endpoint,
    Pause,
    Reply,
    UntilLeft,
    answering_json,
    calling,
    delta,
    endpoint,
    event,
    refusing,
    saying,
)
from tests.support.workers import eventually

KEY = "sk-that-must-stay-secret"


@pytest.fixture
def provider() -> Iterator[OpenAI]:
    outside = Outside({"TEST_API_KEY": KEY})
    yield OpenAI(outside, pause=0.01)
    outside.close()


def request(at: Endpoint | str, config: dict[str, Any] | None = None, **more: Any) -> Request:
    base = at.base if isinstance(at, Endpoint) else at
    settings = {"base_url": base, "api_key_env": "TEST_API_KEY"} | (config or {})
    given = {"model": "small", "system_prompt": "Be brief.", "history": (Turn("user", "Hello"),)} | more
    return Request(config=settings, **given)


def answer(provider: OpenAI, asked: Request) -> list[Chunk]:
    return list(provider.stream(asked))


def failure(provider: OpenAI, asked: Request) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        answer(provider, asked)
    assert KEY not in str(caught.value)
    return caught.value


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


REDIRECT = "It redirects, and a key goes nowhere but to config.base_url: set that to the final address."
LASTING: list[tuple[Reply, str]] = [
    (
        refusing(401),
        "answered 401: No: 401 Give the process that answers a valid key in TEST_API_KEY, and start it anew.",
    ),
    (refusing(403, {"error": f"Not for {KEY}"}), "answered 403: Not for …"),
    (refusing(404), "answered 404: No: 404 Look at config.base_url and at the model's name, 'small'."),
    (refusing(400, {"error": {"message": "unknown\nfield"}}), "answered 400: unknown field"),
    (refusing(413), "Lower config.history_tokens"),
    (refusing(307, b"", Location="http://127.0.0.1:9/steal"), REDIRECT),
    (answering_json({"choices": []}), "It did not stream"),
    (
        refusing(429, {"error": {"message": "Empty.", "code": "insufficient_quota"}}),
        "Empty. Add credit to the account of the key.",
    ),
    (saying("Well", finish="content_filter"), "content filter stopped the answer"),
    (saying(finish="length"), "used up max_tokens before it wrote a word"),
    (Reply((gzip.compress(b"data: 1"),), headers=EVENTS | {"Content-Encoding": "gzip"}), "It did not stream"),
]


@pytest.mark.parametrize(("reply", "words"), LASTING)
def test_what_no_repetition_cures_is_said_once_with_its_remedy(provider: OpenAI, reply: Reply, words: str) -> None:
    with endpoint(reply) as server:
        error = failure(provider, request(server))
    assert words in str(error)
    assert not error.is_temporary
    assert len(server.asked) == 1


PASSING: list[tuple[Reply, str]] = [
    (refusing(500), "answered 500: No: 500"),
    (refusing(503, b"<html>"), "answered 503."),
    (refusing(429), "answered 429: No: 429"),
    (Reply((event({"error": {"message": f"overloaded {KEY}"}}),)), "The endpoint broke off: overloaded …"),
    (Reply((event("{half"),)), "can't be understood"),
    (Reply((event([1]),)), "can't be understood"),
    (Reply((event({"choices": ["text"]}),)), "can't be understood"),
    (Reply((event(delta(content=[{"text": "Hi"}])),)), "can't be understood"),
    (Reply((event(delta(tool_calls={"id": 1})),)), "can't be understood"),
    (Reply((event("[" * 100_000),)), "can't be understood"),
    (Reply(()), "closed the stream in the middle"),
    (Reply((b"data: x",), headers=EVENTS | {"Content-Length": "100"}), "can't be reached: RemoteProtocolError."),
]


@pytest.mark.parametrize(("reply", "words"), PASSING)
def test_what_may_pass_is_tried_three_times(provider: OpenAI, reply: Reply, words: str) -> None:
    with endpoint(reply) as server:
        error = failure(provider, request(server))
    assert words in str(error)
    assert error.is_temporary
    assert len(server.asked) == 3


def test_a_second_try_may_succeed(provider: OpenAI) -> None:
    with endpoint(refusing(502), saying("Hi.")) as server:
        assert answer(provider, request(server)) == ["Hi."]
    assert len(server.asked) == 2


def test_what_was_heard_is_never_said_twice(provider: OpenAI) -> None:
    with endpoint(Reply((event(delta(content="Once upon")),)), saying("Other")) as server:
        heard = provider.stream(request(server))
        assert next(heard) == "Once upon"
        with pytest.raises(ProviderError, match="in the middle of the answer") as caught:
            list(heard)
    assert caught.value.is_temporary
    assert len(server.asked) == 1


def test_an_endpoint_that_asks_for_patience_is_left_alone_for_so_long(provider: OpenAI) -> None:
    with endpoint(refusing(429, **{"Retry-After": "40"})) as server:
        error = failure(provider, request(server))
    assert (error.is_temporary, error.delay, len(server.asked)) == (True, 40.0, 1)


def test_a_short_pause_that_an_endpoint_asks_for_is_made_at_once(provider: OpenAI) -> None:
    with endpoint(refusing(429, **{"Retry-After": "0.2"}), saying("Hi.")) as server:
        began = time.monotonic()
        assert answer(provider, request(server)) == ["Hi."]
    assert time.monotonic() - began >= 0.2


def test_an_answer_that_goes_on_and_on_is_broken_off(provider: OpenAI) -> None:
    flood = event(delta(content="x" * 10_000))
    with endpoint(Reply((UntilLeft(flood, every=0),))) as server:
        error = failure(provider, request(server))
        assert server.left.wait(10)
    assert str(error) == "The endpoint's answer went on without an end."


def test_an_endpoint_that_only_keeps_the_line_open_is_left_after_the_time_that_the_version_gives(
    provider: OpenAI,
) -> None:
    with endpoint(Reply((UntilLeft(b": still here\n\n"),))) as server:
        error = failure_at_first(provider, request(server, {"timeout": 1}))
        assert server.left.wait(10)
    assert str(error).endswith("did not finish its answer in 1 s (config.timeout).")
    assert error.is_temporary


def failure_at_first(provider: OpenAI, asked: Request) -> ProviderError:
    """Without the further attempts, which would take their time."""
    return failure(OpenAI(provider._outside, pause=1000), asked)


def test_an_endpoint_that_is_not_there_is_named(provider: OpenAI) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    error = failure(provider, request(f"http://127.0.0.1:{port}/v1"))
    assert str(error) == f"http://127.0.0.1:{port} can't be reached: ConnectError."
    assert error.is_temporary


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
        assert server.left.wait(10)


def _when_asked(server: Endpoint, cancelled: threading.Event) -> None:
    eventually(lambda: server.asked)
    cancelled.set()


def test_a_listener_who_goes_away_hangs_up_too(provider: OpenAI) -> None:
    with endpoint(Reply((event(delta(content="Once")), UntilLeft(b": wait\n\n")))) as server:
        chunks = provider.stream(request(server))
        next(chunks)
        chunks.close()  # type: ignore[attr-defined]  # it is a generator
        assert server.left.wait(10)


def test_nobody_waits_through_a_pause_for_an_answer_that_was_cancelled(provider: OpenAI) -> None:
    cancelled = threading.Event()
    patient = OpenAI(provider._outside, pause=2.0)
    with endpoint(refusing(503, **{"Retry-After": "2"})) as server:
        threading.Timer(0.3, cancelled.set).start()
        began = time.monotonic()
        with pytest.raises(Cancelled):
            answer(patient, request(server, is_cancelled=cancelled.is_set))
    assert time.monotonic() - began < 1.8


@pytest.mark.parametrize(
    ("config", "model", "words"),
    [
        ({"api_key_env": "OTHER_API_KEY"}, "small", "OTHER_API_KEY is not set"),
        ({}, "", "The provider openai needs the name of a model"),
        ({"timeout": "long"}, "small", "config.timeout has to be a number from 1 to 600."),
    ],
)
def test_what_can_not_be_sent_is_not_sent(provider: OpenAI, config: dict[str, Any], model: str, words: str) -> None:
    with endpoint(saying("Hi.")) as server:
        error = failure(provider, request(server, config, model=model))
    assert words in str(error)
    assert (error.is_temporary, server.asked) == (False, [])


def test_an_address_that_the_operator_does_not_allow_is_not_asked() -> None:
    limited = OpenAI(Outside({"TEST_API_KEY": KEY}, allowed=["https://api.example.com"]))
    with endpoint(saying("Hi.")) as server:
        error = failure(limited, request(server))
    assert "is not among the addresses that PROVIDER_URLS allows" in str(error)
    assert server.asked == []


def test_half_a_character_in_what_was_said_does_not_keep_it_from_being_asked(provider: OpenAI) -> None:
    with endpoint(saying("Hi.")) as server:
        assert answer(provider, request(server, history=(Turn("user", "\ud83d"),))) == ["Hi."]
    assert server.asked[0].body["messages"][-1]["content"] == "\ud83d"


def test_a_slow_endpoint_is_waited_for(provider: OpenAI) -> None:
    with endpoint(Reply((Pause(0.3), *saying("Hi.").pieces))) as server:
        assert answer(provider, request(server)) == ["Hi."]
