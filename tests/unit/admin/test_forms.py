from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from werkzeug.datastructures import MultiDict

from service.admin.access.security import is_own_path
from service.admin.parts.forms import ChatbotForm, MessageForm
from service.admin.parts.paging import cursor, read_cursor, take

FILLED = {"title": "Helper", "model_provider": "offline", "expected": "1"}


def filled(**typed: str) -> ChatbotForm:
    form = ChatbotForm(MultiDict(FILLED | typed))
    form.offer_providers(["offline"], "offline")
    return form


@pytest.mark.parametrize(
    ("typed", "value"),
    [
        ("", {}),
        ("  \n", {}),
        ("{}", {}),
        ('{"path": "C:\\\\u0000"}', {"path": "C:\\u0000"}),
        ('{"temperature": 0.5, "stop": ["\\u00e9"]}', {"temperature": 0.5, "stop": ["é"]}),
    ],
)
def test_a_configuration_is_read_as_json(typed: str, value: dict[str, Any]) -> None:
    form = filled(config=typed)
    assert form.validate(), form.errors
    assert form.changes()["config"] == value


@pytest.mark.parametrize(
    ("typed", "complaint"),
    [
        ('{\n  "a" 1\n}', "Not JSON: Expecting ':' delimiter in line 2, column 7."),
        ("[1]", "This has to be an object: { … }"),
        ("null", "This has to be an object: { … }"),
        ('{"a": NaN}', "This holds a number too large, or is nested too deeply, to be stored as JSON."),
        ('{"a": 1e999}', "This holds a number too large, or is nested too deeply, to be stored as JSON."),
        ('{"a": ' + "[" * 100_000, "This holds a number too large, or is nested too deeply, to be stored as JSON."),
        ('{"a": "\\u0000"}', "This holds a character that can't be stored, such as \\u0000."),
        ('{"\\ud800": 1}', "This holds a character that can't be stored, such as \\u0000."),
    ],
)
def test_what_is_no_configuration_is_refused_and_kept(typed: str, complaint: str) -> None:
    form = filled(config=typed)
    assert not form.validate()
    assert form.errors["config"] == [complaint]
    assert form.config._value() == typed


def test_ingestion_runs_are_a_list() -> None:
    assert filled(ingestion_run_ids='["r1"]').changes()["ingestion_run_ids"] == ["r1"]
    assert filled(ingestion_run_ids='{"r": 1}').validate() is False


def test_empty_namespaces_are_none_and_line_ends_are_unix() -> None:
    changes = filled(vector_namespace="  ", system_prompt="a\r\nb").changes()
    assert changes["vector_namespace"] is None
    assert changes["system_prompt"] == "a\nb"


@pytest.mark.parametrize("title", ["", "   ", "x" * 121, "a\0b"])
def test_a_title_that_can_not_be_stored_is_refused(title: str) -> None:
    form = filled(title=title)
    assert not form.validate()
    assert form.errors["title"]


def test_a_provider_that_this_release_does_not_know_stays_on_offer() -> None:
    form = ChatbotForm(MultiDict(FILLED | {"model_provider": "older"}))
    form.offer_providers(["offline"], "older")
    assert form.validate(), form.errors


@pytest.mark.parametrize("key", ["", "short", "../../etc", "A" * 32])
def test_a_message_needs_the_key_that_its_page_gave_it(key: str) -> None:
    form = MessageForm(MultiDict({"content": "Hello", "key": key}))
    assert not form.validate()
    assert form.errors["key"] == ["Load the page again, then send your message."]


@pytest.mark.parametrize("target", ["/", "/chatbots/3/edit?x=1", "/a//b", "/%2f%2fevil.example"])
def test_a_redirect_stays_on_the_panel(target: str) -> None:
    assert is_own_path(target)


@pytest.mark.parametrize(
    "target",
    ["", "chatbots", "//evil.example", "/\\evil.example", "https://evil.example", "/\t/evil.example", "/\n/x", "\\/x"],
)
def test_a_redirect_to_another_site_is_not_followed(target: str) -> None:
    assert not is_own_path(target)


def test_a_cursor_leads_back_to_its_row() -> None:
    moment = datetime(2026, 11, 21, 5, 2, 40, 123456)
    assert read_cursor(cursor(moment, 17)) == (moment, 17)


@pytest.mark.parametrize("text", ["", "-", "yesterday-1", "20261121T050240.123456-x", f"20261121T050240.1-{2**63}"])
def test_what_is_no_cursor_begins_at_the_beginning(text: str) -> None:
    assert read_cursor(text) is None


def test_a_page_knows_whether_there_is_another() -> None:
    assert take([1, 2, 3], 2).rows == [1, 2]
    assert take([1, 2, 3], 2).has_more
    assert not take([1, 2], 2).has_more
