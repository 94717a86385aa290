"""A list to choose from, and what it offers: as much as a list can hold, and always what was asked for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from markupsafe import Markup, escape
from wtforms import SelectField
from wtforms.fields.choices import Choice as Option  # type: ignore[attr-defined]  # the stubs are older
from wtforms.widgets import html_params

from service.admin.parts.records import LARGEST_ID
from service.chat import access
from service.models import Chatbot, Persona, User

OFFERED = 100

Choices = list[tuple[int, str]]


class Choice(SelectField):
    """One of many. WTForms takes longer to draw a hundred options than the rest of the page together."""

    def iter_choices(self) -> Iterator[Any]:
        """One by one, so that whoever looks for the chosen one can stop there."""
        pairs: Any = self.choices or ()
        for value, words in pairs:
            yield Option(value, words, self.coerce(value) == self.data, {})

    def __call__(self, **attributes: Any) -> Markup:
        options = "".join(map(_drawn, self.iter_choices()))
        return Markup(f"<select {html_params(id=self.id, name=self.name, **attributes)}>{options}</select>")  # noqa: S704


def _drawn(option: Option) -> str:
    selected = "selected " if option.selected else ""
    return f'<option {selected}value="{escape(option.value)}">{escape(option.label)}</option>'


def chatbots(user: User, asked: int | None = None) -> Choices:
    """By title."""
    known = access.chatbots(user).select(Chatbot.id, Chatbot.title)
    return _offered(known.order_by(Chatbot.title, Chatbot.id), Chatbot.id, asked)


def personas(user: User, asked: int | None = None) -> Choices:
    """Whose conversations somebody may look for, by name: their own; an owner, everybody's."""
    known = Persona.select(Persona.id, Persona.name).order_by(Persona.name, Persona.id)
    known = known if access.sees_all(user) else known.where(Persona.user == user)
    return _offered(known, Persona.id, asked)


def _offered(query: Any, number: Any, asked: int | None) -> Choices:
    offered: Choices = list(query.limit(OFFERED).tuples())
    if asked and asked <= LARGEST_ID and asked not in dict(offered):
        offered += list(query.where(number == asked).tuples())
    return offered
