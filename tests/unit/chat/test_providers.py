from __future__ import annotations

import pytest

from service.chat.providers import Chunk, ProviderError, Request, Tool, ToolCall, Turn, built_in, named


def request(question: str, prompt: str = "") -> Request:
    return Request(model="", system_prompt=prompt, history=(Turn("user", "Before"), Turn("user", question)))


def answer(question: str, prompt: str = "") -> str:
    return "".join(str(chunk) for chunk in offline(request(question, prompt)))


def offline(given: Request) -> list[Chunk]:
    return list(named(built_in(), "offline").stream(given))


def test_the_offline_provider_repeats_the_question_and_says_what_it_is() -> None:
    text = answer("Is it open\non Sunday?")
    assert "“Is it open on Sunday?”" in text
    assert "offline provider" in text
    assert "Before" not in text


def test_the_offline_provider_shows_the_chatbots_prompt() -> None:
    assert "“You sell bicycles.”" in answer("Hello", "You sell bicycles.")
    assert "instructions" not in answer("Hello", "  ")


def test_the_offline_provider_always_answers_the_same() -> None:
    assert answer("Hello", "Be kind.") == answer("Hello", "Be kind.")


def test_the_offline_provider_streams() -> None:
    assert len(offline(request("Hello"))) > 5


ADD = Tool("sums__add", "Adds.", {"type": "object"})


@pytest.mark.parametrize(
    ("question", "arguments"),
    [
        ('Please add {"a": 1, "b": {"c": 2}} for me', '{"a": 1, "b": {"c": 2}}'),
        ("Please sums__add something", "{}"),
        ("Please add {what}", "{}"),
    ],
)
def test_the_offline_provider_calls_a_tool_that_the_question_names(question: str, arguments: str) -> None:
    asked = Request(model="", system_prompt="", history=(Turn("user", question),), tools=(ADD,))
    assert offline(asked) == [ToolCall("offline-sums__add", "sums__add", arguments)]


@pytest.mark.parametrize(("question", "may_call"), [("An address", True), ("Please add 1", False)])
def test_the_offline_provider_calls_no_tool_that_is_not_named_or_not_allowed(question: str, may_call: bool) -> None:
    asked = Request(model="", system_prompt="", history=(Turn("user", question),), tools=(ADD,), may_call=may_call)
    assert all(isinstance(chunk, str) for chunk in offline(asked))


def test_the_offline_provider_tells_what_the_tool_said_and_then_calls_no_more() -> None:
    call = ToolCall("1", "sums__add", "{}")
    turns = (Turn("user", "Please add"), Turn("assistant", "", (call,)), Turn("tool", "Three.", call_id="1"))
    text = "".join(map(str, offline(Request(model="", system_prompt="", history=turns, tools=(ADD,)))))
    assert "You wrote: “Please add”." in text
    assert "The tool said: “Three.”." in text


def test_an_unknown_provider_is_named_together_with_the_known_ones() -> None:
    with pytest.raises(ProviderError) as caught:
        named(built_in(), "oracle")
    assert str(caught.value) == (
        "The chatbot's provider 'oracle' is unknown; choose one of: offline, openai, in a new version of the chatbot."
    )
    assert not caught.value.is_temporary
