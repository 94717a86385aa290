"""How a form draws its fields: as WTForms does, to the letter, which takes ten times as long for the attributes of an
input."""

from __future__ import annotations

from typing import Any

import wtforms
from markupsafe import Markup, escape
from wtforms import Field
from wtforms.meta import DefaultMeta
from wtforms.widgets import CheckboxInput, DateInput, HiddenInput, NumberInput, TextInput

from service.admin.parts.kept import is_shown_again

# Those that are no more than their attributes. Every other one is left to itself.
_PLAIN = frozenset({TextInput, NumberInput, DateInput, HiddenInput, CheckboxInput})


class Form(wtforms.Form):
    def validate(self, *others: Any) -> bool:
        """Not where it is only shown again; and nothing is wrong with its fields then."""
        return not is_shown_again() and bool(super().validate(*others))

    class Meta(DefaultMeta):
        def render_field(self, field: Field, render_kw: Any) -> Markup:
            if type(field.widget) not in _PLAIN or field.render_kw:
                return super().render_field(field, render_kw)
            return Markup(f"<input {attributes(_of_input(field) | render_kw)}>")  # noqa: S704  # each is escaped


def attributes(values: dict[str, Any]) -> str:
    """As they stand in a tag, by name: True says that it is there, False that it is not."""
    written = (
        name if value is True else f'{name}="{escape(value)}"'
        for name, value in sorted(values.items())
        if value is not False
    )
    return " ".join(written)


def _of_input(field: Any) -> dict[str, Any]:
    """What its validators ask for is said to the browser too, as far as this input can be told."""
    widget, asked = field.widget, vars(field.flags)
    values = {name: asked[name] for name in widget.validation_attrs if name in asked}
    if isinstance(widget, CheckboxInput):
        values["checked"] = bool(getattr(field, "checked", field.data))  # one of several boxes knows it by that name
    return values | {"id": field.id, "name": field.name, "type": widget.input_type, "value": field._value()}
