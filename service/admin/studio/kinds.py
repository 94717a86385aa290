"""The kinds of values that the browser can show and take, and how they read as text. Everything else is shown only."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from datetime import date, datetime, time
from decimal import Decimal, InvalidOperation
from typing import Any, Literal

from service.admin.parts.forms import is_storable, parse_json

Kind = Literal["integer", "number", "boolean", "text", "date", "datetime", "time", "json", "other"]

_KINDS: dict[str, Kind] = {
    "smallint": "integer",
    "integer": "integer",
    "int": "integer",
    "bigint": "integer",
    "numeric": "number",
    "decimal": "number",
    "real": "number",
    "float": "number",
    "double": "number",
    "double precision": "number",
    "boolean": "boolean",
    "bool": "boolean",
    "text": "text",
    "varchar": "text",
    "char": "text",
    "character": "text",
    "character varying": "text",
    "date": "date",
    "datetime": "datetime",
    "timestamp": "datetime",
    "timestamp without time zone": "datetime",
    "timestamp with time zone": "datetime",
    "time": "time",
    "time without time zone": "time",
    "json": "json",
    "jsonb": "json",
}
# What PostgreSQL's integers hold; SQLite's hold 64 bits whatever they are called.
_BITS = {"smallint": 16, "integer": 32}


def kind_of(declared: str) -> Kind:
    return _KINDS.get(_base(declared), "other")


def length_of(declared: str) -> int | None:
    """How many characters a text of this type may have; None for any number."""
    match = re.search(r"\((\d+)\)", declared)
    return int(match[1]) if match and kind_of(declared) == "text" else None


def _base(declared: str) -> str:
    """`character varying(120)` without its length."""
    return re.sub(r"\([\d, ]*\)", "", declared).strip().lower()


def parse(declared: str, text: str, *, is_sqlite: bool) -> Any:
    """The value that was typed. Raises ValueError with a sentence for the person who typed it."""
    kind = kind_of(declared)
    if not is_storable(text):
        raise ValueError("This holds a character that can't be stored; type it again instead of pasting it.")
    if kind == "text":
        return _text(text, length_of(declared))
    if kind == "integer":
        return _integer(text.strip(), 64 if is_sqlite else _BITS.get(_base(declared), 64))
    return _PARSERS[kind](text.strip()) if kind in _PARSERS else text


def _text(text: str, length: int | None) -> str:
    if length is not None and len(text) > length:
        raise ValueError(f"At most {length:,} characters; these are {len(text):,}.")
    return text


def _integer(text: str, bits: int) -> int:
    if not re.fullmatch(r"[+-]?[0-9]{1,40}", text):
        raise ValueError("Type a whole number, such as 12.")
    number, most = int(text), 2 ** (bits - 1)
    if not -most <= number < most:
        raise ValueError(f"Type a number between {-most:,} and {most - 1:,}.")
    return number


def _number(text: str) -> Decimal | float:
    try:
        number = Decimal(text)
        if math.isfinite(number) and abs(number.adjusted()) < 300:
            return number
    except (InvalidOperation, ValueError):
        pass
    raise ValueError("Type a number, such as 12.5.")


def _boolean(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise ValueError("Type true or false.")
    return text.lower() == "true"


def _moment(read: Callable[[str], Any], example: str) -> Callable[[str], Any]:
    def parser(text: str) -> Any:
        try:
            return read(text)
        except ValueError:
            raise ValueError(f"Type it like this: {example}.") from None

    return parser


def _json(text: str) -> str:
    return json.dumps(parse_json(text), ensure_ascii=False)


_PARSERS: dict[Kind, Callable[[str], Any]] = {
    "number": _number,
    "boolean": _boolean,
    "date": _moment(date.fromisoformat, "2026-11-21"),
    "datetime": _moment(datetime.fromisoformat, "2026-11-21 17:30:00"),
    "time": _moment(time.fromisoformat, "17:30:00"),
    "json": _json,
}


def storable(value: Any, *, is_sqlite: bool) -> Any:
    """A parsed value as the engine takes it: SQLite keeps moments as text, in the form that Peewee gives them."""
    return as_text(value, "other") if is_sqlite and isinstance(value, date | time) else value


def as_text(value: Any, kind: Kind) -> str:
    """A value as it would be typed; never called with None."""
    if isinstance(value, bool) or (kind == "boolean" and value in (0, 1)):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.isoformat(" ")
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, bytes | memoryview):
        return f"{len(value):,} bytes"
    return str(value)
