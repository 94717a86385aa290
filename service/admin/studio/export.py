"""Rows as CSV, a batch a query, so that a table of any size needs no memory."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from service.admin.studio import kinds
from service.admin.studio.kinds import Kind
from service.admin.studio.rows import Source, View
from service.chat.export import csv_row

# Characters sent at once: a piece for each row would cost more than reading it.
_PIECE = 64_000


def pieces(source: Source, view: View) -> Iterator[str]:
    """The lines, many at a time."""
    held, size = [], 0
    for line in lines(source, view):
        held.append(line)
        size += len(line)
        if size >= _PIECE:
            yield "".join(held)
            held, size = [], 0
    yield "".join(held)


def lines(source: Source, view: View) -> Iterator[str]:
    """The header, then every row that the filters let through, in the order of the key. What is NULL is empty."""
    shown = source.table.shown
    yield csv_row(column.name for column in shown)
    for row in source.all(view):
        yield csv_row(_cell(value, column.kind) for value, column in zip(row.cells, shown, strict=True))


def _cell(value: Any, kind: Kind) -> Any:
    """Numbers stay numbers: a minus before them is no formula."""
    is_number = isinstance(value, int | float | Decimal) and not isinstance(value, bool) and kind != "boolean"
    return value if is_number or value is None else kinds.as_text(value, kind)
