"""What a version offers its model: the tools of its servers under names that every endpoint takes, and their calls."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from service.chat.cancel import IsCancelled
from service.chat.keyring import Refused
from service.chat.options import ToolServer
from service.chat.outside import Outside
from service.chat.providers.talk import Tool, ToolCall
from service.chat.text import storable_json
from service.chat.tools import servers
from service.chat.tools.servers import Server
from service.chat.tools.sessions import Listed, ToolError

LISTING = "tools/list"
LONGEST_NAME = 64  # for OpenAI, and for most who speak its protocol


@dataclass(frozen=True)
class Called:
    """What a tool was asked for and what became of it. `error` is for operator and model; without one, `result` is
    what the tool said."""

    server: str
    tool: str
    arguments: Mapping[str, Any]
    result: str | None
    error: str | None
    duration_ms: int

    @property
    def told(self) -> str:
        """What the model hears of it."""
        return f"Error: {self.error}" if self.error is not None else self.result or "(no result)"


@dataclass
class Offer:
    """`failures` are the servers that could not be asked what they can do."""

    outside: Outside
    is_cancelled: IsCancelled
    tools: list[Tool] = field(default_factory=list)
    failures: list[Called] = field(default_factory=list)
    _owners: dict[str, tuple[Server, str]] = field(default_factory=dict)

    @property
    def prompt(self) -> str:
        """What the model has to know of servers that are away."""
        names = ", ".join(failure.server for failure in self.failures)
        return names and f"The tools of {names} can't be reached at the moment; where you would need them, say so."

    def add(self, server: Server, listed: Iterable[Listed]) -> None:
        for tool in listed:
            name = _free(f"{server.name}__{tool.name}", self._owners)
            self._owners[name] = (server, tool.name)
            self.tools.append(Tool(name, tool.description, tool.parameters))

    def call(self, call: ToolCall, seconds: float) -> Called:
        """Do what the model wants. Raises Cancelled, and nothing else: what fails is told to the model."""
        if call.name not in self._owners:
            return Called("unknown", call.name, {}, None, f"There is no tool {call.name!r}.", 0)
        server, tool = self._owners[call.name]
        arguments = _arguments(call.arguments)
        if arguments is None:
            return Called(server.name, tool, {}, None, "The arguments have to be a JSON object.", 0)
        began = time.monotonic()
        result = error = None
        try:
            asked = self.outside.sessions.call(server, tool, arguments, seconds)
            result = self.outside.keyring.redacted(self.outside.loop.run(asked, self.is_cancelled))
        except ToolError as failed:
            error = self.outside.keyring.redacted(str(failed))
        return Called(server.name, tool, arguments, result, error, _milliseconds(began))


def offered(wanted: Iterable[ToolServer], outside: Outside, is_cancelled: IsCancelled) -> Offer:
    """Ask each server what it can do. One that is away is left out, and the offer says so."""
    offer = Offer(outside, is_cancelled)
    for entry in wanted:
        began = time.monotonic()
        try:
            server = servers.find(entry, outside.servers, outside.keyring)
            offer.add(server, outside.loop.run(outside.sessions.tools(server), is_cancelled))
        except (ToolError, Refused) as error:
            said = outside.keyring.redacted(str(error))
            offer.failures.append(Called(entry.name, LISTING, {}, None, said, _milliseconds(began)))
    return offer


def _free(wanted: str, taken: Mapping[str, object]) -> str:
    """The name as every endpoint takes it, with a number where two would be the same."""
    name = re.sub(r"[^A-Za-z0-9_-]", "_", wanted)[:LONGEST_NAME]
    number = 2
    while name in taken:
        name = f"{name[: LONGEST_NAME - 4]}_{number}"
        number += 1
    return name


def _arguments(text: str) -> dict[str, Any] | None:
    """None for what is no object, or holds what no database takes, such as numbers without an end."""
    try:
        arguments = storable_json(json.loads(text or "{}"))
        json.dumps(arguments, allow_nan=False)
    except (ValueError, RecursionError):
        return None
    return arguments if isinstance(arguments, dict) else None


def _milliseconds(began: float) -> int:
    return round(1000 * (time.monotonic() - began))
