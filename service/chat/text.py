"""Text from outside, made fit for both engines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def storable(text: str) -> str:
    """Without what PostgreSQL refuses in a text column: NUL characters and halves of surrogate pairs."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode("utf-8")


def presentable(text: str) -> str:
    """An answer as it is stored; of the beginning of one, the beginning of all that may become of it."""
    return storable(text).strip()


def storable_metadata(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """The same for the strings of flat metadata."""
    return {key: storable(value) if isinstance(value, str) else value for key, value in metadata.items()}


def storable_json(value: Any) -> Any:
    """The same for every text in it."""
    match value:
        case str():
            return storable(value)
        case list():
            return [storable_json(entry) for entry in value]
        case dict():
            return {storable(key): storable_json(entry) for key, entry in value.items()}
    return value


def shortened(text: str, length: int) -> str:
    """On one line, with an ellipsis where it had to be cut."""
    line = " ".join(text.split())
    return line if len(line) <= length else line[: length - 1].rstrip() + "…"
