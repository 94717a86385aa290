from __future__ import annotations

import pytest

from service.chat.keyring import Keyring, Refused
from service.chat.options import ToolServer
from service.chat.tools.servers import Defined, Server, ServersError, find, parse

GIVEN = """{
  "files": {"command": ["mcp-files", "/srv"], "env": {"TOKEN": "secret"}, "cwd": "/srv"},
  "crm": {"url": "https://crm.example/mcp", "api_key_env": "CRM_API_KEY", "headers_env": {"X-Team": "TEAM_API_KEY"}}
}"""
KEYS = Keyring({"CRM_API_KEY": "k1", "TEAM_API_KEY": "k2"}, allowed=["https://tools.example"])


def test_the_operator_defines_commands_and_addresses() -> None:
    defined = parse(GIVEN)
    assert find(ToolServer("files"), defined, KEYS) == Server(
        "files", command=("mcp-files", "/srv"), env=(("TOKEN", "secret"),), cwd="/srv"
    )
    assert find(ToolServer("crm"), defined, KEYS) == Server(
        "crm", url="https://crm.example/mcp", headers=(("Authorization", "Bearer k1"), ("X-Team", "k2"))
    )


def test_no_secret_of_a_server_is_shown() -> None:
    defined = parse(GIVEN)
    shown = repr([defined, *(find(ToolServer(name), defined, KEYS) for name in defined)])
    assert not [secret for secret in ("secret", "k1", "k2") if secret in shown]


def test_without_a_setting_there_are_no_servers() -> None:
    assert parse(" ") == {}


def test_a_version_may_give_an_address_that_the_operator_allows() -> None:
    assert find(ToolServer("own", "https://tools.example/mcp"), {}, KEYS) == Server(
        "own", url="https://tools.example/mcp"
    )
    with pytest.raises(Refused, match="PROVIDER_URLS"):
        find(ToolServer("own", "https://elsewhere.example/mcp"), {}, KEYS)


def test_a_name_that_nobody_defined_is_refused_with_those_that_are() -> None:
    with pytest.raises(Refused) as caught:
        find(ToolServer("mail"), {"crm": Defined(), "files": Defined()}, KEYS)
    assert str(caught.value) == "There is no server 'mail' in MCP_SERVERS; it defines crm, files."


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("{half", "MCP_SERVERS is not JSON; docs/chatbots.md shows an example."),
        ("[]", 'MCP_SERVERS has to be an object: {"name": {"command": [ … ]}}.'),
        ('{"a b": {}}', "MCP_SERVERS: the name 'a b' has to be of at most 40 letters, digits, _ and -."),
        ('{"a": {}}', "MCP_SERVERS: a needs a command or a url."),
        (
            '{"a": {"command": ["x"], "url": "https://x"}}',
            "MCP_SERVERS: a has to be an object with command, env and cwd, or with url, api_key_env and headers_env.",
        ),
        (
            '{"a": {"command": "mcp-files --token=secret"}}',
            'MCP_SERVERS: a needs a command as a list of words: ["program", "argument"].',
        ),
        ('{"a": {"command": ["x"], "env": {"N": 1}}}', "MCP_SERVERS: a has to give env as an object of texts."),
        ('{"a": {"command": ["x"], "cwd": 1}}', "MCP_SERVERS: a has a cwd that is not a path."),
        ('{"a": {"url": "x"}}', "MCP_SERVERS: a has to be an address that starts with https:// or http://."),
        (
            '{"a": {"url": "https://x", "api_key_env": "secret"}}',
            "MCP_SERVERS: a has to be the name of an environment variable that ends in _API_KEY, never a key itself.",
        ),
        (
            '{"a": {"url": "https://x", "headers_env": {"X": "secret"}}}',
            "MCP_SERVERS: a has to be the name of an environment variable that ends in _API_KEY, never a key itself.",
        ),
    ],
)
def test_a_setting_that_can_not_be_used_says_which_server_and_repeats_no_value(text: str, complaint: str) -> None:
    with pytest.raises(ServersError) as caught:
        parse(text)
    assert str(caught.value) == complaint
