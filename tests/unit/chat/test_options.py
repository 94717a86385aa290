from __future__ import annotations

from typing import Any

import pytest

from service.chat.options import (
    DEFAULT_URL,
    NEEDS_A_MODEL,
    SettingError,
    ToolServer,
    check,
    read_config,
    read_retrieval,
)
from service.chat.providers import built_in

BAD: list[tuple[str, Any, str]] = [
    ("base_url", "api.example.com", "has to be an address that starts with https:// or http://"),
    ("base_url", "https://exa mple.com", "has to be an address that starts with https:// or http://"),
    ("base_url", "https://[::1", "has to be an address that starts with https:// or http://"),
    ("base_url", "https://key@example.com", "must not hold a password; name the variable that does in api_key_env"),
    ("base_url", "https://example.com/v1?key=1", "must end before ? and #"),
    ("base_url", 7, "has to be a text"),
    (
        "api_key_env",
        "DATABASE_URL",
        "has to be the name of an environment variable that ends in _API_KEY, never a key itself",
    ),
    (
        "api_key_env",
        "sk-123",
        "has to be the name of an environment variable that ends in _API_KEY, never a key itself",
    ),
    ("temperature", 3, "has to be a number from 0 to 2"),
    ("temperature", True, "has to be a number from 0 to 2"),
    ("temperature", float("nan"), "has to be a number from 0 to 2"),
    ("max_tokens", 0, "has to be a whole number from 1 to 1,000,000"),
    ("max_tokens", 1.5, "has to be a whole number from 1 to 1,000,000"),
    ("request", [], "has to be an object: { … }"),
    ("request", {"stream": False}, "must not hold stream: the version's other settings say that"),
    ("mcp_servers", "files", "has to be a list of at most 10 servers"),
    ("mcp_servers", ["files", "files"], "names a server twice"),
    ("mcp_servers", ["my files"], "names each server with at most 40 letters, digits, _ and -"),
    (
        "mcp_servers",
        [{"name": "sh", "command": ["sh"]}],
        'lists servers by name, or as {"name": …, "url": …, "api_key_env": …}',
    ),
    (
        "mcp_servers",
        [{"name": "crm", "url": "ftp://x"}],
        "names the server crm, whose entry has to be an address that starts with https:// or http://",
    ),
    (
        "mcp_servers",
        [{"name": "crm", "api_key_env": "CRM_API_KEY"}],
        "gives the server crm a key and no url; the operator's servers have their own",
    ),
]


@pytest.mark.parametrize(("key", "value", "complaint"), BAD)
def test_a_value_that_can_not_be_used_is_refused_by_the_name_of_its_key(key: str, value: Any, complaint: str) -> None:
    with pytest.raises(SettingError) as caught:
        check({"config": {key: value}})
    assert str(caught.value) == f"config.{key} {complaint}."


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"temprature": 1}, "config has no key 'temprature'; did you mean temperature?"),
        (
            {"colour": "red"},
            "config has no key 'colour'; it knows base_url, api_key_env, temperature, top_p, max_tokens, timeout, "
            "request, history_tokens, mcp_servers, tool_rounds, tool_seconds, and x_… for keys of your own.",
        ),
    ],
)
def test_a_key_that_nobody_reads_is_refused_with_a_hint(given: dict[str, Any], complaint: str) -> None:
    with pytest.raises(SettingError) as caught:
        check({"config": given})
    assert str(caught.value) == complaint


def test_the_providers_that_may_be_named_are_those_of_this_release() -> None:
    assert set(NEEDS_A_MODEL) == set(built_in())
    with pytest.raises(SettingError, match=r"^model_provider has to be one of offline, openai\.$"):
        check({"model_provider": "opnai", "model_name": "small"})


@pytest.mark.parametrize(
    ("given", "base"),
    [
        ({"model_provider": "openai"}, None),
        ({"model_provider": "openai", "model_name": " "}, None),
        ({"model_provider": "openai"}, {"model_provider": "offline", "model_name": ""}),
        ({"model_name": ""}, {"model_provider": "openai", "model_name": "small"}),
    ],
)
def test_a_provider_that_needs_a_model_gets_none_without_its_name(given: dict[str, Any], base: Any) -> None:
    with pytest.raises(SettingError, match=r"^model_name is empty; the provider openai needs the name of a model\.$"):
        check(given, base)


@pytest.mark.parametrize(
    ("given", "base"),
    [
        ({"model_provider": "offline"}, None),
        ({"model_provider": "openai", "model_name": "small"}, None),
        ({"model_provider": "openai"}, {"model_provider": "offline", "model_name": "small"}),
        ({"system_prompt": "New.", "model_name": ""}, {"model_provider": "openai", "model_name": ""}),
        ({"model_provider": "older", "model_name": "big"}, {"model_provider": "older", "model_name": ""}),
    ],
)
def test_a_model_that_is_named_or_was_not_touched_is_let_through(given: dict[str, Any], base: Any) -> None:
    check(given, base)


def test_what_does_not_hold_settings_is_not_looked_at() -> None:
    check({"system_prompt": "Be brief.", "title": "Helper"})


@pytest.mark.parametrize("setting", ["config", "rag_settings"])
def test_settings_have_to_be_an_object(setting: str) -> None:
    with pytest.raises(SettingError, match=rf"^{setting} has to be an object: {{ … }}\.$"):
        check({setting: []})


def test_keys_of_ones_own_are_kept_and_not_read() -> None:
    check({"config": {"x_owner": "Ada"}, "rag_settings": {"x_owner": "Ada"}})
    assert read_config({"x_owner": "Ada", "from before": 1}) == read_config({})


def test_every_setting_has_a_default() -> None:
    options = read_config({})
    assert (options.base_url, options.history_tokens, options.tool_rounds) == (DEFAULT_URL, 8_000, 5)
    assert read_retrieval({}).url == ""


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ({}, "OPENAI_API_KEY"),
        ({"base_url": f"{DEFAULT_URL}/"}, "OPENAI_API_KEY"),
        ({"base_url": "https://elsewhere.example/v1"}, ""),
        ({"base_url": "https://elsewhere.example/v1", "api_key_env": "ELSEWHERE_API_KEY"}, "ELSEWHERE_API_KEY"),
        ({"api_key_env": None}, ""),
    ],
)
def test_an_address_is_sent_no_key_that_was_not_named_for_it(given: dict[str, Any], name: str) -> None:
    assert read_config(given).key_name == name


def test_tool_servers_are_the_operators_by_name_or_elsewhere_by_address() -> None:
    crm = {"name": "crm", "url": "https://crm.example/mcp/", "api_key_env": "CRM_API_KEY"}
    assert read_config({"mcp_servers": ["files", crm]}).mcp_servers == (
        ToolServer("files"),
        ToolServer("crm", "https://crm.example/mcp", "CRM_API_KEY"),
    )
