"""Paging by key: the next page begins after a row, so it stays right and quick while new rows come in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

Row = TypeVar("Row")


@dataclass(frozen=True)
class Page(Generic[Row]):
    rows: list[Row]
    has_more: bool


def take(rows: list[Row], size: int) -> Page[Row]:
    """Of `size + 1` rows that were asked for, the page, and whether there is another."""
    return Page(rows[:size], len(rows) > size)


def cursor(moment: datetime, number: int) -> str:
    """The place of a row in a list by time, for an address: `20261121T050240.123456-17`."""
    return f"{moment:%Y%m%dT%H%M%S.%f}-{number}"


def read_cursor(text: str) -> tuple[datetime, int] | None:
    """None for what is no cursor: then the list begins at its beginning."""
    moment, _, number = text.partition("-")
    try:
        place = datetime.strptime(moment, "%Y%m%dT%H%M%S.%f"), int(number)
    except ValueError:
        return None
    return place if 0 <= place[1] < 2**63 else None


def read_id(text: str) -> int | None:
    """The place of a row in a list by a big id; None for what is no such place."""
    return int(text) if text.isdecimal() and len(text) <= 19 and 0 < int(text) < 2**63 else None
