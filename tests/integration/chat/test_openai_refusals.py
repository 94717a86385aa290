"""What an OpenAI-compatible endpoint may answer instead of an answer, and what is said of it."""

from __future__ import annotations

import gzip
import socket
import time
from typing import Any

import pytest

from service.chat.outside import Outside
from service.chat.providers import ProviderError, Request
from service.chat.providers.openai import OpenAI
from tests.support.endpoint import (
    EVENTS,
    Reply,
    UntilLeft,
    answering_json,
    delta,
    endpoint,
    event,
    refusing,
    saying,
)
from tests.support.openai import KEY, answer, failure, request
from tests.support.processes import HANGS

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
        assert server.left.wait(HANGS)
    assert str(error) == "The endpoint's answer went on without an end."


def test_an_endpoint_that_only_keeps_the_line_open_is_left_after_the_time_that_the_version_gives(
    provider: OpenAI,
) -> None:
    with endpoint(Reply((UntilLeft(b": still here\n\n"),))) as server:
        error = failure_at_first(provider, request(server, {"timeout": 1}))
        assert server.is_left()
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
