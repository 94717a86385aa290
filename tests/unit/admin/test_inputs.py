"""What a form of the panel draws is what WTForms would have drawn."""

from __future__ import annotations

from typing import Any

import pytest
import wtforms
from werkzeug.datastructures import MultiDict
from wtforms import (
    BooleanField,
    ColorField,
    DateField,
    HiddenField,
    IntegerField,
    PasswordField,
    StringField,
    TextAreaField,
)
from wtforms.validators import DataRequired, Length, NumberRange
from wtforms.widgets import HiddenInput

from service.admin.parts import inputs
from service.admin.parts.forms import Ticks

LETTERS: Any = ["a", "<B>"]  # the stubs know pairs only, which WTForms is about to give up


class Fields:
    words = StringField("Words", [DataRequired(), Length(2, 300)])
    number = IntegerField("Number", [NumberRange(1, 9)])
    day = DateField("Day")
    box = BooleanField("Box")
    unseen = HiddenField("Unseen")
    expected = IntegerField("Expected", [NumberRange(0, 9)], widget=HiddenInput())
    dressed = StringField("Dressed", render_kw={"class_": "code", "data_kind": "x"})
    # Left to WTForms.
    password = PasswordField("Password", [Length(10)])
    text = TextAreaField("Text", [Length(max=20)])
    color = ColorField("Color")
    ticks = Ticks("Ticks", choices=LETTERS)


class Ours(Fields, inputs.Form):
    pass


class Theirs(Fields, wtforms.Form):
    pass


NAMES = [name for name in vars(Fields) if not name.startswith("_")]
TYPED = {
    "words": "\"Ann\" & 'Bob' <b>",
    "number": "seven",
    "day": "2026-11-21",
    "box": "1",
    "unseen": 'k"',
    "expected": "3",
    "dressed": "x",
    "password": "never shown",
    "text": "<p>\n",
    "color": "#0b6e75",
    "ticks": "<B>",
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("typed", [{}, TYPED], ids=["empty", "typed"])
@pytest.mark.parametrize(
    "given",
    [
        {},
        {"class": "form-control is-invalid", "aria-describedby": 'x-help" <', "autofocus": True, "required": False},
        {"id": "other", "type": "search", "value": "1", "maxlength": 30},
    ],
    ids=["bare", "attributes", "instead"],
)
def test_a_field_is_drawn_as_wtforms_would_draw_it(name: str, typed: dict[str, str], given: dict[str, Any]) -> None:
    ours, theirs = (kind(MultiDict(typed))[name](**given) for kind in (Ours, Theirs))
    assert ours == theirs


def test_every_box_of_several_is_drawn_so_too() -> None:
    ours, theirs = ([str(box(**{"class": "x"})) for box in kind(MultiDict(TYPED)).ticks] for kind in (Ours, Theirs))
    assert ours == theirs
    assert ["checked" in box for box in ours] == [False, True]


def test_what_was_typed_can_not_leave_its_attribute() -> None:
    drawn = str(Ours(MultiDict({"words": '"><script>'}))["words"](title="'\"<"))
    assert drawn.count("<") == drawn.count(">") == 1
    assert drawn.count('"') % 2 == 0
