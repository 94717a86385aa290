"""SQL that is written by hand, for what the worker asks for each message and the panel on a page that many look at:
Peewee takes longer to put such a statement together than either engine takes to run it. Everything else is Peewee's."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypeVar

from service.database import is_sqlite, proxy
from service.models.base import Table, shared_now

T = TypeVar("T", bound=Table)

_NAME = re.compile(r"(?<!:):(\w+)")
_CLOCK = "clock_timestamp() AT TIME ZONE 'UTC'"
_MOMENTS = {"now": f"({_CLOCK})", "later": f"({_CLOCK} + %(seconds)s * interval '1 second')"}


class Statement:
    """`:name` stands for a value, `:now` for the present moment by the clock that all workers share, and `:later` for
    the one that is `:seconds` from now (see `shared_now`). A list is for `= ANY (:name)` on PostgreSQL, and for
    `json_each(:name)` on SQLite. `postgresql` is the text for that engine, if it differs."""

    def __init__(self, text: str, *, postgresql: str = "") -> None:
        self._sqlite = text
        self._has_moments = not {"now", "later"}.isdisjoint(_NAME.findall(text))
        self._postgresql = _NAME.sub(_placed, (postgresql or text).replace("%", "%%"))

    def changed(self, **values: Any) -> int:
        """The number of rows that were inserted, updated or deleted."""
        return int(self._run(values).rowcount)

    def row(self, **values: Any) -> tuple[Any, ...] | None:
        """The first one, if there is any."""
        found = self.rows(**values)
        return found[0] if found else None

    def rows(self, **values: Any) -> list[tuple[Any, ...]]:
        found: list[tuple[Any, ...]] = self._run(values).fetchall()
        return found

    def named(self, **values: Any) -> dict[str, Any] | None:
        """The first row, by the names of its columns."""
        cursor = self._run(values)
        names = [column[0] for column in cursor.description]
        found = cursor.fetchall()  # to the end, or SQLite does not count a statement that writes as over
        return dict(zip(names, found[0], strict=True)) if found else None

    def _run(self, values: Mapping[str, Any]) -> Any:
        if not is_sqlite(proxy.obj):
            return proxy.obj.execute_sql(self._postgresql, values)
        if self._has_moments:
            values = {"now": shared_now(), "later": shared_now(values.get("seconds", 0.0)), **values}
        values = {name: json.dumps(value) if isinstance(value, list) else value for name, value in values.items()}
        return proxy.obj.execute_sql(self._sqlite, values)


def moment(stored: Any) -> Any:
    """A moment of a row, or None: SQLite keeps it as text."""
    return datetime.fromisoformat(stored) if isinstance(stored, str) else stored


def _placed(match: re.Match[str]) -> str:
    return _MOMENTS.get(match[1]) or f"%({match[1]})s"


def loaded(model: type[T], values: Mapping[str, Any]) -> T:
    """What is stored of a row, by column. What is no column of the model becomes an attribute all the same."""
    row = model(__no_default__=True)
    fields = model._meta.columns
    for name, value in values.items():
        if field := fields.get(name):
            row.__data__[field.name] = field.python_value(value)
        else:
            setattr(row, name, value)
    return row
