"""Peewee fields and models as the source of a migration."""

from __future__ import annotations

import math
from collections.abc import Set
from typing import Any

import peewee as pw

from service.migrate.altering.shape import Column, Index, Table
from service.migrate.drafting.source import Group, Source, Text, call, lay_out, listed, quoted, statement, tupled

_PLAIN_DEFAULTS = (str, int, float, bool)
# Parameters that a field keeps under their own name and that matter to its column, or to what it takes for a value.
_PARAMETERS = (
    "max_length",
    "max_digits",
    "decimal_places",
    "auto_round",
    "rounding",
    "formats",
    "resolution",
    "utc",
    "dimensions",
    "convert_values",
    "generate_always",
    "primary_key",
    "collation",
    "sequence",
    "unindexed",
    "index_type",
)


def field(column: Column, *, own: Index | None, says_none: bool = False) -> Group:
    """The field as a call; `own` is the index that comes with it. What the database fills in is `column.default`.
    With `says_none` a field without constraints says so: when a field is changed, that means that they go."""
    each = column.field
    head, bare = _class_of(each)
    is_key = isinstance(each, pw.ForeignKeyField)
    items: dict[str, Source] = {}
    usual = f"{column.name.removesuffix('_id')}_id" if is_key else column.name
    if column.column != usual:
        items["column_name"] = Text(column.column)
    if is_key and each.rel_field is not each.rel_model._meta.primary_key:
        items["field"] = Text(each.rel_field.name)
    items |= _array_parameters(each) | _parameters(each, bare)
    if column.null:
        items["null"] = "True"
    items |= _index_flags(bare, own)
    items |= _python_default(each)
    if column.reference:
        actions = {name: getattr(column.reference, name) for name in ("on_delete", "on_update", "deferrable")}
        items |= {name: Text(action) for name, action in actions.items() if action}
    constraints = [*([f"DEFAULT {column.default}"] if column.default else []), *column.checks]
    if constraints or says_none:
        items["constraints"] = listed(call("pw.SQL", Text(text)) for text in constraints)
    return call(head, *([_target(column)] if is_key else []), **items)


def fields(
    columns: dict[str, Column], own: dict[str, Index], *, without_constraints: Set[str] = frozenset()
) -> dict[str, Source]:
    return {
        column.name: field(column, own=own.get(name), says_none=name in without_constraints)
        for name, column in columns.items()
    }


def model(table: Table, *, name: str, without: frozenset[str]) -> str:
    """The class of a new table and the call that makes it, without the columns that can only come later."""
    own = {index.columns[0]: index for index in table.indexes if index.is_own}
    lines = ["    @migrator.create_model", f"    class {name}(pw.Model):"]
    for column in table.columns.values():
        if column.column not in without and not _is_usual_key(table, column):
            lines.append(statement(f"{column.name} = ", field(column, own=own.get(column.column)), indent=8))
    if len(lines) > 2:
        lines.append("")
    return "\n".join([*lines, "        class Meta:", *_meta(table, without)])


def add_index(table: str, index: Index, names: dict[str, str]) -> Group:
    if index.rest == "written":
        return call("migrator.add_index", Text(table), call("pw.SQL", Text(index.parts[0])))
    parts = [_part(part, names) for part in index.parts]
    named: dict[str, Source] = {}
    if index.unique:
        named["unique"] = "True"
    if not index.is_plain:
        using, _, nulls = index.rest.partition("NULLS DISTINCT ")
        named["name"] = Text(index.name)
        named |= {"using": Text(using)} if using else {}
        named |= {"nulls_distinct": nulls} if nulls else {}
        named |= {"where": call("pw.SQL", Text(index.where))} if index.where else {}
    return call("migrator.add_index", Text(table), *parts, **named)


def constraints(texts: tuple[str, ...]) -> list[Source]:
    return [call("pw.SQL", Text(text)) for text in texts]


def line(source: Source) -> str:
    return statement("", source, indent=4)


def _class_of(each: Any) -> tuple[str, Any]:
    """The source of the field's class, the nearest one that a migration can import, and one of it without arguments."""
    kind: Any = next(
        one for one in type(each).__mro__ if one.__module__ == "peewee" or one.__module__.startswith("playhouse.")
    )
    if kind is pw.ForeignKeyField:
        return "pw.ForeignKeyField", None
    module = "pw" if kind.__module__ == "peewee" else kind.__module__.rpartition(".")[2]
    head = f"{module}.{kind.__name__}"
    if type(each) is not kind and each.field_type != kind.field_type:
        head = f'type("{type(each).__name__}", ({head},), {{"field_type": {quoted(each.field_type)}}})'
    try:
        return head, kind()
    except TypeError:
        return head, pw.Field()


def _parameters(each: Any, bare: Any) -> dict[str, Source]:
    found: dict[str, Source] = {}
    for name in _PARAMETERS:
        value, usual = vars(each).get(name), vars(bare or pw.Field()).get(name)
        if value is not None and value != usual:
            found[name] = Text(value) if isinstance(value, str) else repr(value).replace("'", '"')
    return found


def _array_parameters(each: Any) -> dict[str, Source]:
    """An ArrayField keeps the field of its elements in a place of its own."""
    element = vars(each).get("_ArrayField__field")
    if element is None:
        return {}
    head, bare = _class_of(element)
    arguments = lay_out(
        Group("", tuple((quoted(key), value) for key, value in _parameters(element, bare).items()), "{}")
    )
    found: dict[str, Source] = {"field_class": head}
    return found | ({"field_kwargs": arguments.replace("=", ": ")} if arguments != "{}" else {})


def _index_flags(bare: Any, own: Index | None) -> dict[str, Source]:
    if own is not None and own.unique:
        return {"unique": "True"}
    is_usual = True if bare is None else bool(bare.index)
    return {} if (own is not None) == is_usual else {"index": str(own is not None)}


def _python_default(each: Any) -> dict[str, Source]:
    value = each.default
    if value is dict or value is list:
        return {"default": value.__name__}
    if type(value) not in _PLAIN_DEFAULTS or (isinstance(value, float) and not math.isfinite(value)):
        return {}
    return {"default": Text(value) if isinstance(value, str) else repr(value)}


def _target(column: Column) -> str:
    assert column.reference
    is_self = column.field.rel_model is column.field.model
    return '"self"' if is_self else f"migrator.orm[{quoted(column.reference.table)}]"


def _part(part: str, names: dict[str, str]) -> Source:
    column = part[1:-1] if part[:1] == part[-1:] == '"' else ""
    return Text(names[column]) if column in names else call("pw.SQL", Text(part))


def _is_usual_key(table: Table, column: Column) -> bool:
    return type(column.field) is pw.AutoField and column.name == column.column == "id" and table.key == ("id",)


def _meta(table: Table, without: frozenset[str]) -> list[str]:
    named: list[tuple[str, Source]] = [("table_name", Text(table.name))]
    meta = table.model._meta
    if meta.primary_key is False:
        named.append(("primary_key", "False"))
    elif meta.composite_key:
        named.append(("primary_key", call("pw.CompositeKey", *(Text(each) for each in meta.primary_key.field_names))))
    plain = [one for one in table.indexes if one.is_plain and not one.is_own and not without & set(one.columns)]
    if plain:
        named.append(("indexes", tupled(_tuple_of(table, index) for index in plain)))
    if table.constraints:
        named.append(("constraints", listed(constraints(table.constraints))))
    named += [(name, Text(value) if isinstance(value, str) else repr(value)) for name, value in table.options]
    return [statement(f"{name} = ", value, indent=12) for name, value in named]


def _tuple_of(table: Table, index: Index) -> Group:
    names = tupled(Text(table.columns[column].name) for column in index.columns)
    return tupled([names, str(index.unique)])
