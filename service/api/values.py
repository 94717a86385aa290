"""The kinds of values that requests hold, and what is common to many requests and answers."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Annotated, Any, Generic, TypeVar

import peewee as pw
from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer

Row = TypeVar("Row", bound=pw.Model)
Shape = TypeVar("Shape", bound=BaseModel)

LARGEST, LARGEST_BIG = 2**31 - 1, 2**63 - 1
DEEPEST = 60
_DIGITS = re.compile(r"[0-9]{1,19}")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)")


def _whole(value: Any) -> Any:
    """In a query, pydantic would take "1.0", "+1" and "1_0" for whole numbers; in JSON, 1.0 is one."""
    if isinstance(value, str) and not _DIGITS.fullmatch(value):
        raise ValueError("has to be a whole number, written with digits")
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _spelled_out(text: Any) -> Any:
    """Pydantic would take seconds since 1970, too."""
    if isinstance(text, str) and not _MOMENT.fullmatch(text):
        raise ValueError("has to be a date and time with its zone, such as 2026-11-21T08:00:00Z")
    return text


def _storable(value: Any, depth: int = 0) -> Any:
    """JSON that both engines can keep: no NUL, no half of a surrogate pair, no infinite number, not nested too deep."""
    if depth > DEEPEST:
        raise ValueError(f"is nested deeper than {DEEPEST} levels")
    if isinstance(value, str) and any(c == "\0" or "\ud800" <= c <= "\udfff" for c in value):
        raise ValueError("holds a character that can't be stored, such as \\u0000")
    if isinstance(value, float) and value in (float("inf"), float("-inf")):
        raise ValueError("holds a number that is too large")
    if isinstance(value, dict):
        for key, part in value.items():
            _storable(key, depth)
            _storable(part, depth + 1)
    if isinstance(value, list):
        for part in value:
            _storable(part, depth + 1)
    return value


# PostgreSQL keeps no NUL in text.
TEXT, NOT_BLANK = r"^[^\x00]*$", r"^[^\x00]*[^\x00\s][^\x00]*$"

Number = Annotated[int, Field(ge=1, le=LARGEST), BeforeValidator(_whole)]
VersionNumber = Annotated[int, Field(ge=0, le=LARGEST), BeforeValidator(_whole)]
BigNumber = Annotated[int, Field(ge=1, le=LARGEST_BIG), BeforeValidator(_whole)]
Moment = Annotated[AwareDatetime, BeforeValidator(_spelled_out)]
Json = Annotated[dict[str, Any], AfterValidator(_storable)]
JsonList = Annotated[list[Any], AfterValidator(_storable)]
# Columns hold UTC without a zone; the world is told the zone.
Stamp = Annotated[
    datetime,
    AfterValidator(lambda moment: moment.replace(tzinfo=UTC)),
    PlainSerializer(lambda moment: moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")),
    Field(json_schema_extra={"format": "date-time"}),
]


class Request(BaseModel):
    """What is sent: a name that we don't know is a mistake, not something to pass over."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class Answer(BaseModel):
    model_config = ConfigDict(from_attributes=True, protected_namespaces=())


class Paging(Request):
    cursor: BigNumber | None = Field(None, description="`next_cursor` of the page before; without it, the first page.")
    limit: Annotated[int, Field(ge=1, le=100), BeforeValidator(_whole)] = 50


class Page(Answer, Generic[Shape]):
    items: list[Shape]
    next_cursor: int | None = Field(None, description="For the next page; null on the last one.")


def in_utc(moment: datetime | None) -> datetime | None:
    """As the columns hold it."""
    return moment.astimezone(UTC).replace(tzinfo=None) if moment else None


def page_of(query: Any, model: type[pw.Model], paging: Paging) -> tuple[list[Any], int | None]:
    """A page of the query's rows, newest first, and the cursor of the next one."""
    key: Any = model._meta.primary_key
    if paging.cursor is not None:
        query = query.where(key < paging.cursor)
    rows = list(query.order_by(key.desc()).limit(paging.limit + 1))
    shown = rows[: paging.limit]
    return shown, shown[-1].id if len(rows) > paging.limit else None
