"""A draft is talked to before it is published: beside the form, without writing anything."""

from __future__ import annotations

import json
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from service.admin.chatbots import drafts, trial
from service.chat import versions
from service.chat.providers import Turn
from service.models import EDITOR, Chatbot, ChatbotVersion, Conversation, InboxItem, Message
from service.url import DatabaseUrl
from tests.support.chat import make_chatbot
from tests.support.endpoint import Reply, UntilLeft, answering_json, delta, endpoint, event, refusing, saying
from tests.support.panel import ONE_ENGINE, Browser, add_user, fields_of, panel, signed_in


@pytest.fixture
def app(service_database: DatabaseUrl) -> Flask:
    return panel(service_database, OPENAI_API_KEY="sk-of-the-tests")


def ask(browser: Browser, chatbot: Chatbot, question: str, **typed: str) -> TestResponse:
    edit = f"/chatbots/{chatbot.id}/edit"
    return browser.submit(edit, f"/chatbots/{chatbot.id}/try", question=question, **typed)


def stream(browser: Browser, chatbot: Chatbot, **typed: str) -> list[dict[str, Any]]:
    """As the script of the page asks."""
    fields = browser.fields(f"/chatbots/{chatbot.id}/edit") | typed
    response = browser.client.post(f"/chatbots/{chatbot.id}/try", data=fields, headers={"Accept": "application/jsonl"})
    assert response.mimetype == "application/jsonl", response.text
    return [json.loads(line) for line in response.text.splitlines()]


def test_a_draft_answers_beside_the_form_and_nothing_is_published(browser: Browser) -> None:
    chatbot = make_chatbot(system_prompt="Be brief.")
    response = ask(browser, chatbot, "Who are you?", system_prompt="Be a lighthouse.", notes="Kept", title="Renamed")
    assert response.status_code == 200
    assert "My instructions begin: “Be a lighthouse.”" in response.text
    kept = fields_of(response.text)
    assert (kept["system_prompt"], kept["notes"], kept["title"]) == ("Be a lighthouse.", "Kept", "Renamed")
    assert kept["question"] == "", "the next question can be typed"
    assert (Chatbot.get().system_prompt, Chatbot.get().title) == ("Be brief.", "Helper")
    assert [version.number for version in ChatbotVersion.select()] == [1]
    assert [model.select().count() for model in (Conversation, Message, InboxItem)] == [0, 0, 0]


def test_what_was_tried_can_be_published_as_it_stands(browser: Browser) -> None:
    chatbot = make_chatbot()
    tried = fields_of(ask(browser, chatbot, "Hello?", system_prompt="Be a lighthouse.").text)
    assert browser.send(f"/chatbots/{chatbot.id}/edit", tried).status_code == 303
    assert versions.current(chatbot).system_prompt == "Be a lighthouse."
    assert browser.submit("/chatbots/new", "/chatbots/new/try", title="New", question="Hello?").status_code == 200
    assert Chatbot.select().count() == 1, "a new chatbot is tried without being made"


# 9 and 12 bytes on their way, 3 and 4 in the database.
@pytest.mark.parametrize(
    ("service_database", "letter"), [("sqlite", "你"), ("postgresql", "🦊")], indirect=["service_database"]
)
def test_a_prompt_is_as_long_as_its_field_allows_in_any_alphabet(browser: Browser, letter: str) -> None:
    chatbot, prompt = make_chatbot(), letter * 200_000
    edit = f"/chatbots/{chatbot.id}/edit"
    assert ask(browser, chatbot, "Who are you?", system_prompt=prompt).status_code == 200
    assert browser.submit(edit, system_prompt=prompt).status_code == 303
    assert versions.current(chatbot).system_prompt == prompt
    refused = browser.submit(edit, system_prompt=prompt + letter)
    assert refused.status_code == 400
    assert "At most 200,000 characters." in refused.text


@ONE_ENGINE
def test_the_talk_goes_on_and_the_provider_is_told_what_was_said(browser: Browser) -> None:
    with endpoint(saying("Ahoy", "!", tokens=(12, 3)), saying("Again.")) as answering:
        config = json.dumps({"base_url": answering.base, "temperature": 0.5})
        settings = {"model_provider": "openai", "model_name": "small", "config": config}
        chatbot = make_chatbot()
        page = ask(browser, chatbot, "Hello?", **settings).text
        assert "Ahoy!" in page
        assert "12 tokens in, 3 out." in page
        page = browser.send(f"/chatbots/{chatbot.id}/try", fields_of(page) | {"question": "And now?"}).text
        assert page.index("Hello?") < page.index("Ahoy!") < page.index("And now?") < page.index("Again.")
        said = [(turn["role"], turn["content"]) for turn in answering.asked[1].body["messages"]]
    assert said[1:] == [("user", "Hello?"), ("assistant", "Ahoy!"), ("user", "And now?")]


@ONE_ENGINE
def test_the_script_of_the_page_gets_the_answer_in_pieces(browser: Browser) -> None:
    with endpoint(saying("One. ", "Two.", tokens=(5, 2))) as answering:
        config = json.dumps({"base_url": answering.base, "mcp_servers": ["bookings"]})
        found = stream(
            browser, make_chatbot(), question="Hello?", model_provider="openai", model_name="small", config=config
        )
    assert found == [
        {
            "kind": "remark",
            "text": "bookings · tools/list: There is no server 'bookings' in MCP_SERVERS; it defines none.",
        },
        {"kind": "text", "text": "One. "},
        {"kind": "text", "text": "Two."},
        {"kind": "remark", "text": "5 tokens in, 2 out."},
    ]


@ONE_ENGINE
@pytest.mark.parametrize(
    ("found", "remark"),
    [
        (answering_json({"passages": [{"text": "Open until six.", "source": "hours.md"}]}), "Found for it: 1 passage."),
        (answering_json({"passages": []}), "Found for it: 0 passages."),
        (refusing(404), "Without passages: "),
    ],
)
def test_what_the_search_found_is_said_beside_the_answer(browser: Browser, found: Reply, remark: str) -> None:
    with endpoint(found) as search:
        rag = json.dumps({"url": search.base})
        told = stream(browser, make_chatbot(), question="When do you close?", rag_settings=rag)
    assert told[0]["text"].startswith(remark)
    assert told[-1]["kind"] == "text", "there is an answer all the same"


@ONE_ENGINE
def test_a_provider_that_fails_says_why_and_the_question_stays(browser: Browser) -> None:
    with endpoint(refusing(401)) as answering:
        chatbot = make_chatbot()
        typed = {"model_provider": "openai", "model_name": "small", "config": json.dumps({"base_url": answering.base})}
        response = ask(browser, chatbot, "Hello?", **typed)
        assert response.status_code == 200
        assert "said-bad" in response.text
        assert fields_of(response.text)["question"] == "Hello?"
        assert stream(browser, chatbot, question="Hello?", **typed)[-1]["kind"] == "error"
    assert "sk-of-the-tests" not in response.text


@ONE_ENGINE
def test_an_answer_without_an_end_is_stopped(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial, "SECONDS", 0.3)
    with endpoint(Reply((UntilLeft(event(delta(content="and "))),))) as answering:
        config = json.dumps({"base_url": answering.base})
        found = stream(
            browser, make_chatbot(), question="Hello?", model_provider="openai", model_name="small", config=config
        )
        assert answering.is_left(), "the connection is dropped"
    assert found[-1] == {"kind": "error", "text": "The answer had no end after 0.3 s, so it was stopped."}


@ONE_ENGINE
@pytest.mark.parametrize(
    ("typed", "complaint"),
    [
        ({"question": " "}, "Type a question."),
        ({"title": ""}, "Give the chatbot a title."),
        ({"config": "{"}, "Not JSON:"),
        ({"config": '{"temprature": 1}'}, "did you mean temperature?"),
        ({"config": '{"top_p": 2}'}, "config.top_p has to be a number from 0 to 1."),
        ({"model_provider": "openai"}, "Model is empty; the provider openai needs the name of a model."),
        ({"question": "a\0b"}, "This holds a character that can&#39;t be stored"),
    ],
)
def test_a_draft_that_can_not_be_tried_is_kept_and_explained(
    browser: Browser, typed: dict[str, str], complaint: str
) -> None:
    response = ask(browser, make_chatbot(), **{"question": "Hello?", "notes": "kept"} | typed)
    assert response.status_code == 400
    assert complaint in response.text
    assert fields_of(response.text)["notes"] == "kept"


@ONE_ENGINE
def test_trying_is_bounded(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    chatbot = make_chatbot()
    with trial._places, trial._places:
        assert "Others are trying their drafts at this moment." in ask(browser, chatbot, "Hello?").text
    assert "Others are trying" not in ask(browser, chatbot, "Hello?").text, "the places are free again"
    monkeypatch.setattr(drafts, "TRIES_A_MINUTE", 0)
    response = ask(browser, chatbot, "Hello?", system_prompt="kept")
    assert "That was often within a minute." in response.text
    assert fields_of(response.text)["system_prompt"] == "kept"


@ONE_ENGINE
def test_a_draft_of_somebody_elses_chatbot_is_not_there(app: Flask) -> None:
    chatbot = make_chatbot()
    add_user("eve@example.org", role=EDITOR)
    eve = signed_in(app, "eve@example.org")
    fields = eve.fields("/chatbots/new") | {"question": "Hello?"}
    assert eve.send(f"/chatbots/{chatbot.id}/try", fields).status_code == 404


@pytest.mark.parametrize(
    "text", ["", "[", "{}", "7", '[["user"]]', '[["system", "x"]]', '[["user", 7]]', "[" * 9000, "null", '["ab", 1]']
)
def test_a_talk_that_was_tampered_with_is_none(text: str) -> None:
    assert trial.read(text) == ()


def test_a_talk_comes_back_as_it_was_written_and_no_longer_than_is_kept() -> None:
    turns = tuple(Turn(role, f"{number} “é”") for number in range(20) for role in ("user", "assistant"))
    assert trial.read(trial.written(turns)) == turns[-trial.TURNS_KEPT :]
    assert trial.read('[["user", "\\ud83d"]]') == (Turn("user", "?"),)
