"""The operator's tool servers in the panel: ticked on the form of a chatbot, and told of where they can't be used."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from flask import Flask

from service.chat import versions
from service.models import Chatbot
from service.url import DatabaseUrl
from tests.support.chat import make_chatbot
from tests.support.panel import ONE_ENGINE, Browser, panel, signed_in

SERVERS = json.dumps({"files": {"command": ["mcp-files"]}, "crm": {"url": "https://crm.example.com/mcp"}})
OWN = {"name": "berths", "url": "https://berths.example.com/mcp"}


@pytest.fixture
def app(service_database: DatabaseUrl) -> Flask:
    return panel(service_database, MCP_SERVERS=SERVERS)


def boxes(page: str) -> dict[str, bool]:
    """Each server that is offered, and whether it is ticked."""
    found = re.findall(
        r'<input (checked )?class="form-check-input" id="servers-\d+" name="servers"[^>]* value="(\w+)"', page
    )
    return {name: bool(ticked) for ticked, name in found}


def with_servers(*listed: Any) -> Chatbot:
    return make_chatbot(config={"temperature": 0.5, "mcp_servers": list(listed)})


def publish(browser: Browser, chatbot: Chatbot, **typed: Any) -> dict[str, Any]:
    """The config of the version that comes of what was ticked and typed."""
    path = f"/chatbots/{chatbot.id}/edit"
    fields: dict[str, Any] = {name: value for name, value in browser.fields(path).items() if name != "servers"}
    assert browser.send(path, fields | typed).status_code == 303
    config: dict[str, Any] = versions.current(Chatbot.get_by_id(chatbot.id)).config
    return config


def test_a_new_chatbot_is_given_the_servers_that_were_ticked(browser: Browser) -> None:
    page = browser.read("/chatbots/new")
    assert boxes(page) == {"files": False, "crm": False}
    fields: dict[str, Any] = browser.fields("/chatbots/new")
    browser.send("/chatbots/new", fields | {"title": "Desk", "servers": ["files", "crm"], "config": '{"top_p": 1}'})
    assert versions.current(Chatbot.get()).config == {"top_p": 1, "mcp_servers": ["files", "crm"]}


def test_the_servers_of_a_version_are_ticked_and_the_rest_stays_in_the_configuration(browser: Browser) -> None:
    chatbot = with_servers("crm", OWN)
    path = f"/chatbots/{chatbot.id}/edit"
    assert boxes(browser.read(path)) == {"crm": True, "files": False}
    assert json.loads(browser.fields(path)["config"]) == {"temperature": 0.5, "mcp_servers": [OWN]}
    config = publish(browser, chatbot, servers=["crm", "files"])
    assert config == {"temperature": 0.5, "mcp_servers": ["crm", "files", OWN]}


@ONE_ENGINE
def test_unticked_servers_are_gone_and_leave_no_empty_list(browser: Browser) -> None:
    assert publish(browser, with_servers("crm")) == {"temperature": 0.5}


@ONE_ENGINE
def test_who_types_a_name_into_the_configuration_need_not_tick_it(browser: Browser) -> None:
    config = publish(browser, make_chatbot(), config='{"mcp_servers": ["files"]}')
    assert config == {"mcp_servers": ["files"]}


@ONE_ENGINE
def test_a_server_that_is_no_longer_defined_is_told_and_can_be_unticked(browser: Browser) -> None:
    chatbot = with_servers("gone")
    page = browser.read(f"/chatbots/{chatbot.id}/edit")
    assert boxes(page)["gone"]
    assert "gone, which MCP_SERVERS no longer defines" in page
    assert publish(browser, chatbot, servers=["gone"])["mcp_servers"] == ["gone"], "or kept"
    assert "mcp_servers" not in publish(browser, chatbot)


@ONE_ENGINE
def test_what_is_ticked_stays_when_something_else_is_refused(browser: Browser) -> None:
    chatbot = make_chatbot()
    path = f"/chatbots/{chatbot.id}/edit"
    fields: dict[str, Any] = browser.fields(path)
    response = browser.send(path, fields | {"title": "", "servers": ["files"]})
    assert response.status_code == 400
    assert boxes(response.text)["files"]


@ONE_ENGINE
def test_without_servers_of_the_operator_the_form_says_nothing_of_them(service_database: DatabaseUrl) -> None:
    page = signed_in(panel(service_database)).read("/chatbots/new")
    assert "MCP servers that the model may use" not in page


@ONE_ENGINE
def test_servers_that_can_not_be_used_are_told_on_the_dashboard_and_on_the_form(
    service_database: DatabaseUrl, browser: Browser
) -> None:
    chatbot = with_servers("crm")
    assert "MCP_SERVERS" not in browser.read("/")
    broken = signed_in(panel(service_database, MCP_SERVERS='{"crm": {"command": "sh -c secret"}}'))
    for path in ("/", f"/chatbots/{chatbot.id}/edit"):
        page = broken.read(path)
        assert "MCP_SERVERS: crm needs a command as a list of words" in page
        assert "Until that is mended, the bot worker does not start." in page
        assert "secret" not in page
    assert boxes(page) == {"crm": True}, "what the version uses is not lost with the next change"
