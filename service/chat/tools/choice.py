"""Which of the operator's servers a version uses: names in its `config`, beside servers that it gives an address."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

KEY = "mcp_servers"


def named(config: Mapping[str, Any]) -> list[str]:
    """The operator's servers of a version, in its order."""
    return [name for entry in _listed(config) if (name := _name(entry))]


def without(config: Mapping[str, Any]) -> dict[str, Any]:
    """The same config without those names."""
    if not named(config):
        return dict(config)
    rest = [entry for entry in _listed(config) if not _name(entry)]
    return {name: value for name, value in config.items() if name != KEY} | ({KEY: rest} if rest else {})


def joined(config: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """With these names before what it lists by itself. What is no list stays as it is, to be complained about."""
    listed = config.get(KEY, [])
    added = [name for name in names if name not in named(config)]
    return {**config, KEY: [*added, *listed]} if added and isinstance(listed, list) else dict(config)


def _listed(config: Mapping[str, Any]) -> list[Any]:
    listed = config.get(KEY)
    return listed if isinstance(listed, list) else []


def _name(entry: Any) -> str:
    """Empty for a server with an address of its own, and for what is none at all."""
    if isinstance(entry, Mapping) and set(entry) == {"name"}:
        entry = entry["name"]
    return entry if isinstance(entry, str) else ""
