"""Filters of a list: read from the address, so that what is shown can be kept, sent to somebody and gone back to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime, time, timedelta
from typing import Any, NamedTuple, Self
from urllib.parse import urlsplit

from flask import request
from wtforms import BooleanField, DateField, Field, IntegerField, SelectField, ValidationError
from wtforms.validators import NumberRange, Optional, StopValidation

from service.admin.parts.inputs import Form

# By the name of the filter: what it asks of a row, given its value.
Conditions = Mapping[str, Callable[[Any], Any]]


class Chip(NamedTuple):
    """One filter that holds, in words, and the arguments of the address that is left without it."""

    words: str
    rest: dict[str, str]


class Filters(Form):
    """What can't be read is said beside its field and narrows nothing."""

    @classmethod
    def of_request(cls, **offered: Iterable[tuple[str, str]]) -> Self:
        """`offered` has what may be chosen in each select field: the value, and how it reads."""
        form = cls(request.args)
        for name, choices in offered.items():
            form[name].choices = [("", "Any"), *choices]  # type: ignore[attr-defined]  # they are select fields
        form.validate()
        return form

    def given(self) -> dict[str, Any]:
        """The filters that hold, by name."""
        return {field.name: field.data for field in self if field.data not in (None, "", False) and not field.errors}

    def narrow(self, query: Any, conditions: Conditions) -> Any:
        """The query with the condition of each filter that holds."""
        for name, value in self.given().items():
            query = query.where(conditions[name](value))
        return query

    def arguments(self, **more: Any) -> dict[str, str]:
        """The same as they stand in an address."""
        return {name: _written(value) for name, value in {**self.given(), **more}.items()}

    def chips(self) -> list[Chip]:
        arguments = self.arguments()
        return [
            Chip(_words(self[name]), {other: value for other, value in arguments.items() if other != name})
            for name in arguments
        ]


class Number(IntegerField):
    """A whole number of a kind; `hint` says what to type."""

    def __init__(self, label: str, least: int, most: int, hint: str, **options: Any) -> None:
        super().__init__(label, [Optional(), _is_read, NumberRange(least, most, hint)], **options)
        self._hint = hint

    def process_formdata(self, valuelist: list[Any]) -> None:
        try:
            super().process_formdata(valuelist)
        except ValueError:
            raise ValueError(self._hint) from None


class Day(DateField):
    """A day in UTC."""

    def __init__(self, label: str, **options: Any) -> None:
        super().__init__(label, [Optional(), _in_our_time], **options)

    def process_formdata(self, valuelist: list[Any]) -> None:
        try:
            super().process_formdata(valuelist)
        except ValueError:
            raise ValueError("Type a day, such as 2026-11-21.") from None


def _is_read(_form: Form, field: Field) -> None:
    """Whoever has typed no number at all is told so once, and not again that it is too small."""
    if field.process_errors:
        raise StopValidation


def _in_our_time(_form: Form, field: Field) -> None:
    if field.data and not 2000 <= field.data.year < 2200:
        raise ValidationError("Choose a day between 2000 and 2199.")


def as_left(path: str) -> str:
    """The list of that path, with the filters and the place in it that the visitor has just come from, if they have."""
    left = urlsplit(request.referrer or "")
    is_it = (left.netloc, left.path) == (request.host, path)
    return f"{path}?{left.query}" if is_it and left.query else path


def beginning(day: date) -> datetime:
    return datetime.combine(day, time.min)


def end(day: date) -> datetime:
    """The first moment that is no longer of the day."""
    return beginning(day) + timedelta(days=1)


def _written(value: Any) -> str:
    return "1" if value is True else str(value)


def _words(field: Field) -> str:
    if isinstance(field, BooleanField):
        return str(field.label.text)
    if isinstance(field, SelectField):
        shown = next((words for value, words, *_ in field.iter_choices() if value == field.data), field.data)
        return f"{field.label.text}: {shown}"
    return f"{field.label.text}: {field.data}"
