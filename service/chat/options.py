"""What a version's `config` and `rag_settings` may hold, and which provider has to be told a model. Checked when a
version is published, read when it answers."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar
from urllib.parse import urlsplit

DEFAULT_URL = "https://api.openai.com/v1"
DEFAULT_KEY = "OPENAI_API_KEY"
# The providers of this release (providers.built_in), and whether they have to be told which model answers.
NEEDS_A_MODEL = {"offline": False, "openai": True}
# What the request says by itself; `config.request` may add to it, not contradict it.
_TAKEN = ("messages", "model", "stream", "tool_choice", "tools")

Kind = TypeVar("Kind")
Check = Callable[[Any], Any]


@dataclass(frozen=True)
class ToolServer:
    """An MCP server that a version names: one of the operator's, or, with a `url`, one of its own."""

    name: str
    url: str = ""
    api_key_env: str = ""


class SettingError(ValueError):
    """A setting that no answer could use, by its name in SETTINGS."""

    def __init__(self, setting: str, complaint: str) -> None:
        self.setting = setting
        super().__init__(f"{setting}{complaint}")


def _number(least: float, most: float) -> Check:
    def check(value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
            raise ValueError(f"has to be a number from {least:g} to {most:g}")
        return value

    return check


def _whole(least: int, most: int) -> Check:
    def check(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise ValueError(f"has to be a whole number from {least:,} to {most:,}")
        return value

    return check


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError("has to be a text")
    return value.strip()


def address(value: Any) -> str:
    """An address to send requests to. Who it is asked as, `api_key_env` says: a version can't be changed, and it is
    read by many, so it holds no password."""
    text = _text(value).rstrip("/")
    try:
        parts = urlsplit(text)
        is_usable = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        is_usable = False
    if not is_usable or re.search(r"[\x00-\x20\x7f]", text):
        raise ValueError("has to be an address that starts with https:// or http://")
    if parts.username is not None or parts.password is not None:
        raise ValueError("must not hold a password; name the variable that does in api_key_env")
    if parts.query or parts.fragment:
        raise ValueError("must end before ? and #")
    return text


def variable(value: Any) -> str:
    """Only names that end so: else a version could send any secret of the process to an address of its own."""
    if value is None or value == "":
        return ""
    if not isinstance(value, str) or not re.fullmatch(r"[A-Z][A-Z0-9_]*_API_KEY", value):
        raise ValueError("has to be the name of an environment variable that ends in _API_KEY, never a key itself")
    return value


def _extra(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ValueError("has to be an object: { … }")
    if taken := sorted(set(value) & set(_TAKEN)):
        raise ValueError(f"must not hold {', '.join(taken)}: the version's other settings say that")
    return value


def _servers(value: Any) -> tuple[ToolServer, ...]:
    if not isinstance(value, list) or len(value) > 10:
        raise ValueError("has to be a list of at most 10 servers")
    servers = tuple(_server(entry) for entry in value)
    if len({server.name for server in servers}) < len(servers):
        raise ValueError("names a server twice")
    return servers


def _server(entry: Any) -> ToolServer:
    found = {"name": entry} if isinstance(entry, str) else entry
    if not isinstance(found, Mapping) or not {"name"} <= set(found) <= {"name", "url", "api_key_env"}:
        raise ValueError('lists servers by name, or as {"name": …, "url": …, "api_key_env": …}')
    name, url = found["name"], found.get("url")
    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z0-9_-]{1,40}", name):
        raise ValueError("names each server with at most 40 letters, digits, _ and -")
    if url is None and "api_key_env" in found:
        raise ValueError(f"gives the server {name} a key and no url; the operator's servers have their own")
    try:
        return ToolServer(name, address(url) if url is not None else "", variable(found.get("api_key_env")))
    except ValueError as error:
        raise ValueError(f"names the server {name}, whose entry {error}") from None


def _checked(check: Check, default: Any) -> Any:
    return field(default=default, metadata={"check": check})


@dataclass(frozen=True)
class Options:
    """`config`: for the provider, the history and the tools. Empty texts and None mean: not set."""

    base_url: str = _checked(address, DEFAULT_URL)
    api_key_env: str | None = _checked(variable, None)
    temperature: float | None = _checked(_number(0, 2), None)
    top_p: float | None = _checked(_number(0, 1), None)
    max_tokens: int | None = _checked(_whole(1, 1_000_000), None)
    timeout: float = _checked(_number(1, 600), 120.0)
    request: Mapping[str, Any] = field(default_factory=dict, metadata={"check": _extra})
    history_tokens: int = _checked(_whole(0, 1_000_000), 8_000)
    mcp_servers: tuple[ToolServer, ...] = _checked(_servers, ())
    tool_rounds: int = _checked(_whole(1, 20), 5)
    tool_seconds: float = _checked(_number(1, 300), 30.0)

    @property
    def key_name(self) -> str:
        """Which variable holds the key. The default one is for the default address: nobody else is sent a key that
        the version doesn't name for them."""
        if self.api_key_env is not None:
            return self.api_key_env
        return DEFAULT_KEY if self.base_url == DEFAULT_URL else ""


@dataclass(frozen=True)
class RetrievalOptions:
    """`rag_settings`: where passages are asked for, and how many. Without a url there is no retrieval."""

    url: str = _checked(address, "")
    api_key_env: str = _checked(variable, "")
    top_k: int = _checked(_whole(1, 50), 4)
    namespace: str = _checked(_text, "")
    max_tokens: int = _checked(_whole(1, 100_000), 1_500)
    timeout: float = _checked(_number(0.1, 60), 5.0)


def read_config(config: Mapping[str, Any]) -> Options:
    """SettingError says which key can't be used, and why. What it doesn't know it passes over."""
    return _read("config", Options, config)


def read_retrieval(settings: Mapping[str, Any]) -> RetrievalOptions:
    return _read("rag_settings", RetrievalOptions, settings)


def check(given: Mapping[str, Any], base: Mapping[str, Any] | None = None) -> None:
    """Refuse settings that no answer could use; SettingError names the key. A key that we don't know is a slip of the
    pen more often than anything else: keys of one's own begin with x_. What is as it was in `base` is not this editor's
    fault, and must not keep them from their change."""
    before = base or {}
    changes = {name: value for name, value in given.items() if name not in before or before[name] != value}
    for setting, kind in (("config", Options), ("rag_settings", RetrievalOptions)):
        if setting in changes:
            _refuse_unknown(setting, kind, changes[setting])
            _read(setting, kind, changes[setting])
    if {"model_provider", "model_name"} & set(changes):
        _refuse_model(changes, {**before, **changes})


def _refuse_model(changes: Mapping[str, Any], whole: Mapping[str, Any]) -> None:
    provider = whole.get("model_provider", "offline")
    if "model_provider" in changes and provider not in NEEDS_A_MODEL:
        raise SettingError("model_provider", f" has to be one of {', '.join(NEEDS_A_MODEL)}.")
    if NEEDS_A_MODEL.get(provider) and not whole.get("model_name", "").strip():
        raise SettingError("model_name", f" is empty; the provider {provider} needs the name of a model.")


def _read(setting: str, kind: type[Kind], given: Mapping[str, Any]) -> Kind:
    values = {}
    for known in fields(kind):  # type: ignore[arg-type]  # both kinds are dataclasses
        if known.name in given:
            try:
                values[known.name] = known.metadata["check"](given[known.name])
            except ValueError as error:
                raise SettingError(setting, f".{known.name} {error}.") from None
    return kind(**values)


def _refuse_unknown(setting: str, kind: type[Any], given: Mapping[str, Any]) -> None:
    if not isinstance(given, Mapping):
        raise SettingError(setting, " has to be an object: { … }.")
    known = [known.name for known in fields(kind)]
    for name in given:
        if name not in known and not name.startswith("x_"):
            near = difflib.get_close_matches(name, known, 1)
            hint = f"did you mean {near[0]}?" if near else f"it knows {', '.join(known)}, and x_… for keys of your own."
            raise SettingError(setting, f" has no key {name!r}; {hint}")
