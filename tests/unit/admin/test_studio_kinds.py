"""What can be typed into a column of which type, and what is said where it can't."""

from __future__ import annotations

import re
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

import pytest

from service.admin.studio import kinds


@pytest.mark.parametrize(
    ("declared", "kind"),
    [
        ("character varying(254)", "text"),
        ("VARCHAR(40)", "text"),
        ("numeric(10, 2)", "number"),
        ("double precision", "number"),
        ("timestamp(6) without time zone", "datetime"),
        ("DATETIME", "datetime"),
        ("jsonb", "json"),
        ("BOOLEAN", "boolean"),
        ("tsvector", "other"),
        ("text[]", "other"),
        ("bytea", "other"),
        ("", "other"),
    ],
)
def test_the_kind_of_a_type(declared: str, kind: str) -> None:
    assert kinds.kind_of(declared) == kind


@pytest.mark.parametrize(
    ("declared", "typed", "value"),
    [
        ("integer", " -12 ", -12),
        ("numeric(8,2)", "12.50", Decimal("12.50")),
        ("boolean", "True", True),
        ("text", "  as it is ", "  as it is "),
        ("date", "2026-11-21", date(2026, 11, 21)),
        ("timestamp without time zone", "2026-11-21 17:30", datetime(2026, 11, 21, 17, 30)),
        ("time", "17:30:05", time(17, 30, 5)),
        ("jsonb", '{"b": [1, "é"]}', '{"b": [1, "é"]}'),
    ],
)
def test_what_is_typed_becomes_a_value(declared: str, typed: str, value: Any) -> None:
    assert kinds.parse(declared, typed, is_sqlite=False) == value


@pytest.mark.parametrize(
    ("declared", "typed", "complaint"),
    [
        ("integer", "twelve", "Type a whole number, such as 12."),
        ("integer", "٣", "Type a whole number, such as 12."),
        ("integer", "2147483648", "Type a number between -2,147,483,648 and 2,147,483,647."),
        ("smallint", "40000", "Type a number between -32,768 and 32,767."),
        ("bigint", str(2**63), "Type a number between -9,223,372,036,854,775,808 and 9,223,372,036,854,775,807."),
        ("integer", "9" * 5000, "Type a whole number, such as 12."),
        ("numeric", "NaN", "Type a number, such as 12.5."),
        ("numeric", "1e999999", "Type a number, such as 12.5."),
        ("boolean", "perhaps", "Type true or false."),
        ("character varying(3)", "four", "At most 3 characters; these are 4."),
        ("date", "21.11.2026", "Type it like this: 2026-11-21."),
        ("datetime", "2026-13-01", "Type it like this: 2026-11-21 17:30:00."),
        ("json", "{oops}", "Not JSON: "),
        ("json", '"\\u0000"', "This holds a character that can't be stored, such as \\u0000."),
        ("json", "[" * 100_000, "This holds a number too large, or is nested too deeply, to be stored as JSON."),
        ("text", "a\0b", "This holds a character that can't be stored; type it again instead of pasting it."),
        ("text", "\ud83d", "This holds a character that can't be stored; type it again instead of pasting it."),
    ],
)
def test_what_can_not_be_stored_is_explained(declared: str, typed: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(complaint)}"):
        kinds.parse(declared, typed, is_sqlite=False)


def test_an_integer_of_sqlite_has_64_bits_whatever_it_is_called() -> None:
    assert kinds.parse("INTEGER", str(2**40), is_sqlite=True) == 2**40


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        (True, "boolean", "true"),
        (0, "boolean", "false"),
        (1, "integer", "1"),
        (datetime(2026, 11, 21, 17, 30), "datetime", "2026-11-21 17:30:00"),
        (date(2026, 11, 21), "date", "2026-11-21"),
        (b"\xff\x00", "other", "2 bytes"),
        (Decimal("1.50"), "number", "1.50"),
    ],
)
def test_a_value_reads_as_it_would_be_typed(value: Any, kind: kinds.Kind, text: str) -> None:
    assert kinds.as_text(value, kind) == text
