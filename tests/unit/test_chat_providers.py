from __future__ import annotations

import pytest

from service.chat.providers import ProviderError, Request, Turn, built_in, named


def request(question: str, prompt: str = "") -> Request:
    return Request(model="", system_prompt=prompt, history=(Turn("user", "Before"), Turn("user", question)))


def answer(question: str, prompt: str = "") -> str:
    return "".join(named(built_in(), "offline").stream(request(question, prompt)))


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
    assert len(list(named(built_in(), "offline").stream(request("Hello")))) > 5


def test_an_unknown_provider_is_named_together_with_the_known_ones() -> None:
    with pytest.raises(ProviderError) as caught:
        named(built_in(), "oracle")
    assert str(caught.value) == (
        "The chatbot's provider 'oracle' is unknown; choose one of: offline, in a new version of the chatbot."
    )
    assert not caught.value.is_temporary
