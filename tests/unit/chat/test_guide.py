"""The guide to a chatbot's settings names every key, and its examples can be published as they stand."""

from __future__ import annotations

import json
import re
from dataclasses import fields

import pytest

from service.chat import options
from service.chat.tools import servers
from service.url import ROOT

GUIDE = (ROOT / "docs" / "chatbots.md").read_text("utf-8")
EXAMPLES = re.findall(r"```json (\w+)\n(.*?)```", GUIDE, re.DOTALL)


@pytest.mark.parametrize("kind", [options.Options, options.RetrievalOptions])
def test_every_key_is_explained(kind: type[options.Options | options.RetrievalOptions]) -> None:
    rows = [line for line in GUIDE.splitlines() if line.startswith("| `")]
    for key in fields(kind):
        assert any(f"`{key.name}`" in row.split("|")[1] for row in rows), key.name


@pytest.mark.parametrize(("setting", "text"), EXAMPLES)
def test_every_example_can_be_used(setting: str, text: str) -> None:
    if setting == "MCP_SERVERS":
        assert set(servers.parse(text)) == {"files", "crm"}
    else:
        options.check({setting: json.loads(text)})


def test_there_is_an_example_of_each_kind() -> None:
    assert {setting for setting, _text in EXAMPLES} == {"config", "rag_settings", "MCP_SERVERS"}


@pytest.mark.parametrize("name", ["timeout", "history_tokens", "tool_rounds", "tool_seconds"])
def test_the_defaults_are_those_of_the_code(name: str) -> None:
    assert f"| `{name}` | {getattr(options.Options(), name):g} |" in GUIDE
