from __future__ import annotations

import pytest
from werkzeug.datastructures import MultiDict

from service.admin.parts.filters import Day, Filters, Number

HINT = "Type a number from 1 to 9."


class Some(Filters):
    number = Number("Number", 1, 9, HINT)
    day = Day("Day")


@pytest.mark.parametrize(
    ("typed", "said"), [("", []), ("7", []), ("seven", [HINT]), ("0", [HINT]), ("10", [HINT]), ("1.5", [HINT])]
)
def test_what_is_no_such_number_is_said_once(typed: str, said: list[str]) -> None:
    form = Some(MultiDict({"number": typed}))
    assert form.validate() is not bool(said)
    assert list(form.number.errors) == said


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("2026-11-21", []),
        ("tomorrow", ["Type a day, such as 2026-11-21."]),
        ("1999-12-31", ["Choose a day between 2000 and 2199."]),
    ],
)
def test_what_is_no_day_of_ours_is_said_once(typed: str, said: list[str]) -> None:
    form = Some(MultiDict({"day": typed}))
    assert form.validate() is not bool(said)
    assert list(form.day.errors) == said
