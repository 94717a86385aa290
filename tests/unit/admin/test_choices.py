from __future__ import annotations

import pytest
from werkzeug.datastructures import MultiDict
from wtforms import Form, SelectField

from service.admin.parts.choices import Choice


class Ours(Form):
    person = Choice("Person", coerce=int)


class Theirs(Form):
    person = SelectField("Person", coerce=int)


def field(kind: type[Form], chosen: str | None) -> SelectField:
    found: SelectField = kind(MultiDict({"person": chosen} if chosen else {}))["person"]  # type: ignore[assignment]
    found.choices = [(0, "None"), (7, 'Ann & "Bob"'), (12, "<b>Carol</b>")]
    return found


@pytest.mark.parametrize("chosen", [None, "0", "7", "13", "odd"])
def test_a_choice_is_drawn_as_wtforms_would_draw_it(chosen: str | None) -> None:
    attributes = {"class": "form-select is-invalid", "aria-describedby": "person-help", "autofocus": True}
    assert field(Ours, chosen)(**attributes) == field(Theirs, chosen)(**attributes)


@pytest.mark.parametrize(("chosen", "errors"), [("7", []), ("13", ["Not a valid choice."])])
def test_only_what_is_offered_can_be_chosen(chosen: str, errors: list[str]) -> None:
    choice = field(Ours, chosen)
    assert choice.validate(Ours()) is not bool(errors)
    assert list(choice.errors) == errors
