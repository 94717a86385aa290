"""Which MCP servers there are: the operator's, by name, and those that a version gives an address for.

A server over stdio is a command on the operator's machine. So a version only names it, and what is run stands in
MCP_SERVERS, where no editor of chatbots can write."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from service.chat import options
from service.chat.keyring import Keyring, Refused
from service.chat.options import ToolServer

_LOCAL, _REMOTE = {"command", "env", "cwd"}, {"url", "api_key_env", "headers_env"}

Pairs = tuple[tuple[str, str], ...]


class ServersError(ValueError):
    """MCP_SERVERS can't be used. The text names the server and repeats no value: they may be secrets."""


@dataclass(frozen=True)
class Server:
    """Where a server is: a command, or a url. Neither its environment nor its headers are ever shown."""

    name: str
    command: tuple[str, ...] = ()
    env: Pairs = field(default=(), repr=False)
    cwd: str | None = None
    url: str = ""
    headers: Pairs = field(default=(), repr=False)


@dataclass(frozen=True)
class Defined:
    """A server as MCP_SERVERS defines it; of its keys there are only the names."""

    command: tuple[str, ...] = ()
    env: Pairs = field(default=(), repr=False)
    cwd: str | None = None
    url: str = ""
    api_key_env: str = ""
    headers_env: Pairs = ()


def parse(text: str) -> dict[str, Defined]:
    """MCP_SERVERS: {"files": {"command": ["mcp-files", "/srv"], "env": {…}}, "crm": {"url": "https://…",
    "api_key_env": "CRM_API_KEY", "headers_env": {"X-Team": "TEAM_API_KEY"}}}."""
    if not text.strip():
        return {}
    try:
        given = json.loads(text)
    except (ValueError, RecursionError):
        raise ServersError("MCP_SERVERS is not JSON; docs/chatbots.md shows an example.") from None
    if not isinstance(given, Mapping):
        raise ServersError('MCP_SERVERS has to be an object: {"name": {"command": [ … ]}}.')
    return {name: _defined(name, entry) for name, entry in given.items()}


class Known(NamedTuple):
    """The names that MCP_SERVERS defines, or why it can't be used."""

    names: tuple[str, ...]
    trouble: str


def known(text: str) -> Known:
    try:
        return Known(tuple(parse(text)), "")
    except ServersError as error:
        return Known((), str(error))


def find(wanted: ToolServer, defined: Mapping[str, Defined], keyring: Keyring) -> Server:
    """The server that a version wants. Raises Refused."""
    if wanted.url:
        headers = keyring.headers(wanted.api_key_env)
        return Server(wanted.name, url=keyring.permit(wanted.url), headers=tuple(headers.items()))
    if wanted.name not in defined:
        known = ", ".join(sorted(defined)) or "none"
        raise Refused(f"There is no server {wanted.name!r} in MCP_SERVERS; it defines {known}.")
    found = defined[wanted.name]
    headers = keyring.headers(found.api_key_env)
    headers |= {header: keyring.key(name) for header, name in found.headers_env}
    return Server(wanted.name, found.command, found.env, found.cwd, found.url, tuple(headers.items()))


def _defined(name: str, entry: Any) -> Defined:
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,40}", name):
        raise ServersError(f"MCP_SERVERS: the name {name[:60]!r} has to be of at most 40 letters, digits, _ and -.")
    if not isinstance(entry, Mapping) or not (set(entry) <= _LOCAL or set(entry) <= _REMOTE):
        raise ServersError(
            f"MCP_SERVERS: {name} has to be an object with command, env and cwd, or with url, api_key_env and "
            "headers_env."
        )
    try:
        return _local(entry) if "command" in entry else _remote(entry)
    except ValueError as error:
        raise ServersError(f"MCP_SERVERS: {name} {error}.") from None


def _local(entry: Mapping[str, Any]) -> Defined:
    command, cwd = entry["command"], entry.get("cwd")
    if not (isinstance(command, list) and command and all(isinstance(word, str) and word for word in command)):
        raise ValueError('needs a command as a list of words: ["program", "argument"]')
    if not isinstance(cwd, str | None):
        raise ValueError("has a cwd that is not a path")
    return Defined(command=tuple(command), env=_texts(entry, "env"), cwd=cwd)


def _remote(entry: Mapping[str, Any]) -> Defined:
    if "url" not in entry:
        raise ValueError("needs a command or a url")
    headers = _texts(entry, "headers_env")
    for _header, name in headers:
        options.variable(name)
    return Defined(
        url=options.address(entry["url"]),
        api_key_env=options.variable(entry.get("api_key_env")),
        headers_env=headers,
    )


def _texts(entry: Mapping[str, Any], key: str) -> Pairs:
    given = entry.get(key, {})
    if not isinstance(given, Mapping) or not all(isinstance(value, str) for value in given.values()):
        raise ValueError(f"has to give {key} as an object of texts")
    return tuple(given.items())
