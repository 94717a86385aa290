"""A list to choose from, and what it offers: as much as a list can hold, and always what was asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from markupsafe import Markup, escape
from wtforms import SelectField
from wtforms.fields.choices import Choice as Option  # type: ignore[attr-defined]  # the stubs are older

from service.admin.parts.inputs import attributes
from service.admin.parts.records import LARGEST_ID
from service.chat import access
from service.models import User
from service.models.statement import Statement

OFFERED = 100
_SEEN_CHATBOTS = f"SELECT id, title FROM chatbots WHERE {access.seen_of('id')}"
_SEEN_PERSONAS = "SELECT id, name FROM personas WHERE (:sees_all OR user_id = :user)"
_CHATBOTS = Statement(f"{_SEEN_CHATBOTS} ORDER BY lower(title), id LIMIT :limit")
_PERSONAS = Statement(f"{_SEEN_PERSONAS} ORDER BY lower(name), id LIMIT :limit")
_CHATBOT, _PERSONA = Statement(f"{_SEEN_CHATBOTS} AND id = :asked"), Statement(f"{_SEEN_PERSONAS} AND id = :asked")

Choices = list[tuple[int, str]]


class Choice(SelectField):
    """One of many. WTForms takes longer to draw a hundred options than the rest of the page together."""

    def iter_choices(self) -> Iterator[Any]:
        """One by one, so that whoever looks for the chosen one can stop there."""
        pairs: Any = self.choices or ()
        for value, words in pairs:
            yield Option(value, words, self.coerce(value) == self.data, {})

    def __call__(self, **given: Any) -> Markup:
        pairs: Any = self.choices or ()
        options = "".join(_drawn(value, words, self.coerce(value) == self.data) for value, words in pairs)
        tag = attributes({"id": self.id, "name": self.name, **given})
        return Markup(f"<select {tag}>{options}</select>")  # noqa: S704  # each part is escaped


@lru_cache(maxsize=2_000)  # the same hundred again and again
def _drawn(value: object, words: str, is_chosen: bool) -> str:
    return f'<option {"selected " if is_chosen else ""}value="{escape(value)}">{escape(words)}</option>'


def chatbots(user: User, asked: int | None = None) -> Choices:
    """By title."""
    return _offered(_CHATBOTS, _CHATBOT, asked, access.who(user))


def personas(user: User, asked: int | None = None) -> Choices:
    """Whose conversations somebody may look for, by name: their own; an owner, everybody's."""
    return _offered(_PERSONAS, _PERSONA, asked, access.who(user))


def _offered(first: Statement, one: Statement, asked: int | None, who: Mapping[str, Any]) -> Choices:
    offered: Any = first.rows(limit=OFFERED, **who)
    if asked and asked <= LARGEST_ID and asked not in dict(offered):
        offered += one.rows(asked=asked, **who)
    return list(offered)
