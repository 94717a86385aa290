"""What differs between two versions, line by line, as plain data for a page that shows them side by side."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import zip_longest
from typing import Any

from service.models import SETTINGS, Chatbot, ChatbotVersion


@dataclass(frozen=True)
class Line:
    """A line of the older and of the newer text, as (number, text) from 1; None where that text has no such line."""

    old: tuple[int, str] | None
    new: tuple[int, str] | None
    is_changed: bool


@dataclass(frozen=True)
class Difference:
    """One setting that is not the same; `is_json` tells how its lines came about."""

    setting: str
    lines: tuple[Line, ...]
    is_json: bool


def differences(old: Chatbot | ChatbotVersion, new: Chatbot | ChatbotVersion) -> list[Difference]:
    """The settings that differ, in their usual order. Of JSON the contents count, not the order of its keys."""
    pairs = ((name, getattr(old, name), getattr(new, name)) for name in SETTINGS)
    return [
        Difference(name, tuple(_compared(_lines(before), _lines(after))), is_json=isinstance(after, dict | list))
        for name, before, after in pairs
        if before != after
    ]


def _lines(value: Any) -> list[str]:
    if value is None:
        return []
    text = value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False, sort_keys=True)
    return text.split("\n") if text else []


def _compared(old: list[str], new: list[str]) -> Iterator[Line]:
    for tag, old_from, old_to, new_from, new_to in SequenceMatcher(None, old, new).get_opcodes():
        before = enumerate(old[old_from:old_to], start=old_from + 1)
        after = enumerate(new[new_from:new_to], start=new_from + 1)
        for left, right in zip_longest(before, after):
            yield Line(left, right, is_changed=tag != "equal")
