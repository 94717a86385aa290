"""The form of one row: what stands in each column, what was typed, and what of it can't be stored."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from service.admin.parts.forms import unix_lines
from service.admin.studio import changes, guards, kinds
from service.admin.studio.catalog import Catalog, Column, ForeignKey
from service.admin.studio.rows import LONGEST, Row, Source
from service.models.base import utc_now

_UNCHANGED = object()


@dataclass
class Field:
    """`locked` is why nothing can be typed; `text` is what the form shows, also when it can't be stored."""

    column: Column
    text: str = ""
    is_null: bool = False
    locked: str = ""
    problem: str = ""
    link: ForeignKey | None = None

    @property
    def name(self) -> str:
        return f"value:{self.column.name}"

    @property
    def null_name(self) -> str:
        return f"null:{self.column.name}"

    @property
    def may_be_null(self) -> bool:
        """Only a text needs to be asked: with the other kinds, nothing typed is NULL."""
        return self.column.kind == "text" and not self.column.is_required

    @property
    def lines(self) -> int:
        """How many lines the form offers; one for what has no line ends."""
        if self.column.kind not in ("text", "json"):
            return 1
        is_short = self.column.kind == "text" and kinds.length_of(self.column.type) is not None
        return 1 if is_short and "\n" not in self.text else min(12, 3 + self.text.count("\n"))


def blank(source: Source) -> list[Field]:
    """For a new row; a moment that must be given starts as the present one."""
    fields = [_field(source, column, guards.of_column(source.table, column)) for column in source.table.shown]
    for field in fields:
        column = field.column
        if column.kind == "datetime" and column.is_required and not column.default:
            field.text = utc_now().isoformat(" ", "seconds")
        field.is_null = field.may_be_null and not column.default
    return fields


def filled(source: Source, row: Row) -> list[Field]:
    """For a row that is there."""
    fields = []
    for column, value in zip(source.table.shown, row.cells, strict=True):
        field = _field(source, column, _lock(source, column, value))
        field.is_null = value is None
        field.text = "" if value is None else _pretty(column, kinds.as_text(value, column.kind))
        fields.append(field)
    return fields


def typed(source: Source, fields: list[Field], form: Mapping[str, str], *, is_new: bool) -> dict[str, Any]:
    """The values to write, by column; of a row that is there, only those that differ from what the form showed. The
    fields keep what was typed, and why it can't be stored."""
    values = {}
    for field in fields:
        if field.locked or field.name not in form:
            continue
        before = unix_lines(field.text), field.is_null
        field.text = unix_lines(form[field.name])
        is_asked = field.null_name in form if field.column.kind == "text" else True
        field.is_null = is_asked and not field.text
        if not is_new and before == (field.text, field.is_null):
            continue
        try:
            value = _value(source, field, is_new)
        except ValueError as error:
            field.problem = str(error)
            continue
        if value is not _UNCHANGED:
            values[field.column.name] = value
    return values


def blame(source: Source, found: Catalog, fields: list[Field], values: Mapping[str, Any]) -> bool:
    """Whether values point at no row, which their fields then say: SQLite refuses them without a word which it was."""
    for field in fields:
        value, link = values.get(field.column.name), field.link
        if value is None or link is None or link.parent not in found.tables:
            continue
        parent = Source(source.database, found.tables[link.parent])
        if not parent.entity.select().where(parent.field(link.parent_columns[0]) == value).exists():
            field.problem = f"There is no such row in {link.parent}."
    return any(field.problem for field in fields)


def _value(source: Source, field: Field, is_new: bool) -> Any:
    column = field.column
    if field.text:
        return source.parse(column, field.text)
    if is_new and column.default and not (field.may_be_null and field.is_null):
        return _UNCHANGED  # the database fills it in
    if column.kind == "text" and not field.is_null:
        return ""
    if column.is_required:
        raise ValueError("This needs a value.")
    return None


def _field(source: Source, column: Column, locked: str) -> Field:
    return Field(column, locked=locked, link=source.table.link_of(column.name))


def _lock(source: Source, column: Column, value: Any) -> str:
    if column.name in source.table.key:
        return "The key of a row stays."
    if isinstance(value, bytes | memoryview):
        return "These are bytes, which can only be looked at here."
    if not changes.is_whole(column, value):
        return f"It is longer than {LONGEST:,} characters: this is its beginning."
    return guards.of_column(source.table, column)


def _pretty(column: Column, text: str) -> str:
    if column.kind == "json":
        with suppress(ValueError, RecursionError):  # SQLite keeps whatever was written there
            return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    return text
