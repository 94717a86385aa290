"""A row's primary key as a part of an address: `17`, or `2026-11-21,4` where it has two columns."""

from __future__ import annotations

from urllib.parse import quote, unquote

from service.admin.studio import kinds
from service.admin.studio.catalog import Table
from service.admin.studio.rows import Key, Source

# A part of an address can't be empty, and `quote` makes no lone per cent sign.
_EMPTY = "%"


def as_part(table: Table, key: Key) -> str:
    texts = [kinds.as_text(value, column.kind) for value, column in zip(key, table.key_columns, strict=True)]
    return ",".join(quote(text, safe=" :") or _EMPTY for text in texts)


def read(source: Source, part: str) -> Key | None:
    """None where it can't be the key of any row."""
    texts = ["" if text == _EMPTY else unquote(text) for text in part.split(",")]
    if len(texts) != len(source.table.key):
        return None
    try:
        return tuple(source.parse(column, text) for column, text in zip(source.table.key_columns, texts, strict=True))
    except ValueError:
        return None
