"""What a Peewee model asks of a database, as plain values: two models ask for the same where these are equal."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time
from decimal import Decimal
from enum import Enum
from functools import cache
from typing import Any
from uuid import UUID

import peewee as pw

from service.migrate.applying.standin import stand_in

_DEFAULT = re.compile(r"DEFAULT\s+(.*)", re.IGNORECASE | re.DOTALL)
_VALUE = "\0"  # stands for a value while SQL is rendered; no SQL can contain it
_QUOTED = re.compile(r"""'(?:[^']|'')*'|"([a-z_][a-z0-9_]*)\"""")


@dataclass(frozen=True)
class Reference:
    table: str
    column: str
    on_delete: str = ""
    on_update: str = ""
    deferrable: str = ""


@dataclass(frozen=True)
class Column:
    """`kinds` are its types on SQLite and PostgreSQL; `default` is what the database fills in, `literal` what Python
    does, both as SQL; `checks` are its other constraints."""

    column: str
    kinds: tuple[str, str]
    null: bool
    default: str
    literal: str
    checks: tuple[str, ...]
    reference: Reference | None
    name: str = field(compare=False)
    field: Any = field(compare=False, repr=False)


@dataclass(frozen=True)
class Index:
    """`parts` are columns or expressions as SQL. `is_own`: it comes with index=True or unique=True of a field;
    `is_plain`: over whole columns, without a condition; its `columns` are then their names. `condition` is `where`
    with names as a person writes them, who needs no quotation marks: so that both ways say the same."""

    parts: tuple[str, ...]
    unique: bool
    condition: str
    rest: str
    where: str = field(compare=False)
    name: str = field(compare=False)
    columns: tuple[str, ...] = field(compare=False)
    is_own: bool = field(compare=False)
    is_plain: bool = field(compare=False)


@dataclass(frozen=True)
class Table:
    name: str
    columns: dict[str, Column]
    indexes: tuple[Index, ...]
    constraints: tuple[str, ...]
    key: tuple[str, ...]
    options: tuple[tuple[str, Any], ...]
    model: Any = field(compare=False, repr=False)


Tables = dict[str, Table]


def of(models: Iterable[type[pw.Model]], *, is_sqlite: bool) -> Tables:
    """The tables by name. SQL in them is in the dialect of the engine named; the types are given for both."""
    return {model._meta.table_name: table_of(model, is_sqlite=is_sqlite) for model in models}


def table_of(model: type[pw.Model], *, is_sqlite: bool) -> Table:
    meta: Any = model._meta
    found = [index_of(one, is_sqlite=is_sqlite) for one in meta.fields_to_index()]
    nodes = zip(found, meta.fields_to_index(), strict=True)
    own = [replace(one, is_own=True) for one, node in nodes if _is_own(one, node)]
    settings = {name: getattr(meta, name) for name in ("schema", "without_rowid", "strict_tables", "table_settings")}
    return Table(
        meta.table_name,
        {each.column_name: column_of(each, is_sqlite=is_sqlite) for each in meta.sorted_fields},
        tuple({one: one for one in [*found, *own]}.values()),
        tuple(sql_of(one, is_sqlite=is_sqlite) for one in meta.constraints or ()),
        tuple(each.column_name for each in meta.get_primary_keys()),
        tuple((name, value) for name, value in settings.items() if value),
        model,
    )


def column_of(each: Any, *, is_sqlite: bool) -> Column:
    texts = [sql_of(one, is_sqlite=is_sqlite) for one in each.constraints or ()]
    defaults = [match[1].strip() for text in texts if (match := _DEFAULT.match(text))]
    return Column(
        each.column_name,
        (_kind(each, is_sqlite=True), _kind(each, is_sqlite=False)),
        bool(each.null),
        defaults[0] if defaults else "",
        _literal_of(each),
        tuple(text for text in texts if not _DEFAULT.match(text)),
        _reference(each) if isinstance(each, pw.ForeignKeyField) else None,
        each.name,
        each,
    )


def sql_of(node: Any, *, is_sqlite: bool) -> str:
    """A Peewee expression as SQL, with its values in it."""
    if isinstance(node, str):
        return node
    database = _dialect(is_sqlite)
    context = database.get_sql_context(param=_VALUE)
    with context.scope_values(subquery=True):
        sql, values = context.sql(node).query()
    pieces = sql.split(_VALUE)
    literals = [*(literal(value) for value in values), ""]
    return "".join(piece + value for piece, value in zip(pieces, literals, strict=True)).strip()


def literal(value: Any) -> str:
    """A constant as SQL; empty where it is none that a database can keep."""
    match value:
        case bool():
            return "TRUE" if value else "FALSE"
        case None:
            return "NULL"
        case float() if not math.isfinite(value):
            return ""
        case int() | float() | Decimal():
            return str(value)
        case str() | datetime() | date() | time() | UUID():
            text = str(value)
            return "" if "\0" in text else "'{}'".format(text.replace("'", "''"))
    return ""


@cache
def _dialect(is_sqlite: bool) -> Any:
    return stand_in(is_sqlite=is_sqlite)


def _literal_of(each: Any) -> str:
    """The Python default of a field as SQL; empty where there is none, or none that is always the same."""
    value = each.default
    if value is dict or value is list:
        value = value()
    if isinstance(value, Enum):
        value = value.value
    if value is None or callable(value) or isinstance(value, pw.Node):
        return ""
    if isinstance(value, dict | list):
        return literal(json.dumps(value)) if "JSON" in _kind(each, is_sqlite=False) else ""
    try:
        return literal(value if "JSON" in type(each).__name__.upper() else each.db_value(value))
    except (ValueError, TypeError, AttributeError):
        return ""


def _kind(each: Any, *, is_sqlite: bool) -> str:
    database = _dialect(is_sqlite)
    context = database.get_sql_context()
    kind = str(context.sql(each.ddl_datatype(context)).query()[0])
    return f"{kind} COLLATE {each.collation}" if each.collation else kind


def _reference(each: Any) -> Reference:
    actions = [str(action or "").upper() for action in (each.on_delete, each.on_update, each.deferrable)]
    return Reference(each.rel_model._meta.table_name, each.rel_field.column_name, *actions)


def index_of(node: Any, *, is_sqlite: bool) -> Index:
    if not isinstance(node, pw.ModelIndex):
        return _written_index(sql_of(node, is_sqlite=is_sqlite))
    return _model_index(node, is_sqlite=is_sqlite)


def _model_index(node: Any, *, is_sqlite: bool) -> Index:
    parts = tuple(sql_of(part, is_sqlite=is_sqlite) for part in node._expressions)
    fields = [part for part in node._expressions if isinstance(part, pw.Field)]
    where = "" if node._where is None else sql_of(node._where, is_sqlite=is_sqlite)
    nulls = "" if node._nulls_distinct is None else f"NULLS DISTINCT {node._nulls_distinct}"
    using = str(node._using or "").upper().removeprefix("BTREE")
    usual = next((str(part.index_type or "").upper() for part in reversed(fields) if part.index_type), "")
    is_plain = len(fields) == len(parts) and not where and not nulls and using == usual.removeprefix("BTREE")
    columns = tuple(part.column_name for part in fields)
    condition = _QUOTED.sub(lambda match: match[1] or match[0], where)
    return Index(parts, bool(node._unique), condition, using + nulls, where, node._name, columns, False, is_plain)


def _written_index(sql: str) -> Index:
    """One that the model has as a whole CREATE INDEX statement."""
    match = re.search(r'INDEX\s+(?:IF\s+NOT\s+EXISTS\s+)?"?(\w+)', sql, re.IGNORECASE)
    return Index((sql,), False, "", "written", "", match[1] if match else "", (), False, False)


def _is_own(index: Index, node: Any) -> bool:
    if not (index.is_plain and len(index.columns) == 1):
        return False
    each = node._expressions[0]
    return bool(each.unique if index.unique else each.index and not each.unique)
