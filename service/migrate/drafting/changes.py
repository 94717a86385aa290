"""From one set of tables to another: the operations of a migration, as source, in an order that works."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from service.migrate.drafting import render
from service.migrate.drafting.shape import Column, Index, Table, Tables
from service.migrate.drafting.source import Source, Text, call, tall

_FILL = "    # Rows that are there already need a value first: until they have one, the next line fails."


@dataclass(frozen=True)
class Renames:
    """`tables`: old name to new. `columns`: (new name of the table, old column) to new column."""

    tables: Mapping[str, str] = field(default_factory=dict)
    columns: Mapping[tuple[str, str], str] = field(default_factory=dict)

    def reversed(self) -> Renames:
        back = {new: old for old, new in self.tables.items()}
        columns = {(back.get(table, table), new): old for (table, old), new in self.columns.items()}
        return Renames(back, columns)


def operations(old: Tables, new: Tables, renames: Renames) -> list[str]:
    """What leads from `old` to `new`, each operation as indented lines of source."""
    new = _settled(old, new, renames)
    lines = [*_rename_tables(renames), *_rename_columns(_with_tables_renamed(old, renames.tables), new, renames)]
    old = _settled(new, renamed(old, renames), Renames())
    made = [new[name] for name in new if name not in old]
    kept = [(old[name], new[name]) for name in new if name in old]
    order = creation_order(made)
    for before, after in kept:
        lines += _drop_constraints(before, after) + _drop_indexes(before, after)
    for table, late in order:
        lines += _create(table, late, old | new)
    for table, late in order:
        lines += _add_columns(table, {name: table.columns[name] for name in table.columns if name in late})
    for before, after in kept:
        lines += _change_table(before, after)
    for table, late in order:
        lines += _add_indexes(table, _late_indexes(table, late))
    gone = [old[name] for name in old if name not in new]
    lines += [
        render.line(call("migrator.remove_model", Text(table.name))) for table, _ in reversed(creation_order(gone))
    ]
    return lines


def outcome(old: Tables, new: Tables, renames: Renames) -> Tables:
    """The tables after these operations: the new ones, with what was left as it was in the old ones."""
    before = _settled(new, renamed(old, renames), Renames())

    def column(table: Table, one: Column) -> Column:
        was = before[table.name].columns.get(one.column) if table.name in before else None
        if was is None:
            return one if table.name not in before else _at_first(one)
        return replace(one, default=default_of(was, one))

    return {
        name: replace(table, columns={key: column(table, one) for key, one in table.columns.items()})
        for name, table in _settled(old, new, renames).items()
    }


def unsupported(old: Tables, new: Tables) -> list[str]:
    """What no operation can change: to be told, since nothing is drafted for it."""
    lines = []
    for name in sorted(old.keys() & new.keys()):
        for what, before, after in (
            ("primary key", old[name].key, new[name].key),
            ("settings", old[name].options, new[name].options),
        ):
            if before != after:
                lines.append(f"{name}: {what} {_told(after)}, which is {_told(before)} now")
    return lines


def default_of(old: Column, new: Column) -> str:
    """The server default that a column should have. One that the model does not ask for may stay where it says the same
    as the Python default: it is what lets the previous release insert."""
    if new.default or not old.default:
        return new.default
    return old.default if _same(old.default, new.literal) else new.literal


def renamed(tables: Tables, renames: Renames) -> Tables:
    """The tables under their new names."""
    found = _with_tables_renamed(tables, renames.tables)
    return {name: _with_columns_renamed(table, renames.columns) for name, table in found.items()}


def _change_table(old: Table, new: Table) -> list[str]:
    added = {name: column for name, column in new.columns.items() if name not in old.columns}
    removed = [column.name for name, column in old.columns.items() if name not in new.columns]
    lines = _add_columns(new, added)
    lines += _change_columns(old, new)
    if removed:
        lines.append(render.line(call("migrator.remove_fields", Text(new.name), *map(Text, removed))))
    implied = {index for index in new.indexes if index.is_own and index.columns[0] in added}
    lines += _add_indexes(new, [index for index in new.indexes if index not in {*old.indexes, *implied}])
    if set(new.constraints) - set(old.constraints):
        lines.append(_set_constraints(new.name, new.constraints))
    return lines


def _add_columns(table: Table, added: dict[str, Column]) -> list[str]:
    """A column that must have a value and has none to begin with is added in two steps."""
    if not added:
        return []
    own = {index.columns[0]: index for index in table.indexes if index.is_own}
    begin, strict = {}, []
    for name, column in added.items():
        start = _at_first(column)
        if not start.null and not start.default:
            strict.append(column.name)
            start = replace(start, null=True)
        begin[name] = start
    lines = [render.line(tall(call("migrator.add_fields", Text(table.name), **render.fields(begin, own))))]
    return lines + _require(table, strict)


def _at_first(column: Column) -> Column:
    """A column of a table that may have rows: the server fills in the default."""
    return column if column.default or column.null else replace(column, default=column.literal)


def _require(table: Table, names: list[str]) -> list[str]:
    operation = render.line(call("migrator.add_not_null", Text(table.name), *map(Text, names)))
    return [f"{_FILL}\n{operation}"] if names else []


def _change_columns(old: Table, new: Table) -> list[str]:
    kept = {index.columns[0]: index for index in old.indexes if index.is_own and index in new.indexes}
    changed, lines = {}, []
    for name, after in new.columns.items():
        before = old.columns.get(name)
        if before is None:
            continue
        after = replace(after, default=default_of(before, after))
        if _only_null_differs(before, after):
            if after.null:
                lines.append(render.line(call("migrator.drop_not_null", Text(new.name), Text(after.name))))
            else:
                lines += _require(new, [after.name])
        elif _is_changed(before, after):
            changed[name] = after
    if changed:
        bare = {name for name, column in old.columns.items() if column.default or column.checks}
        fields = render.fields(changed, kept, without_constraints=bare)
        lines.insert(0, render.line(tall(call("migrator.change_fields", Text(new.name), **fields))))
    return lines


def _drop_indexes(old: Table, new: Table) -> list[str]:
    """All that the new table has not, but for those that go with their column."""
    names = {column.column: column.name for column in old.columns.values()}
    lines = []
    for index in old.indexes:
        goes_with_column = len(index.columns) == 1 and index.is_plain and index.columns[0] not in new.columns
        if index not in new.indexes and not goes_with_column:
            words = [Text(names[column]) for column in index.columns] if index.is_plain else []
            named: dict[str, Source] = {} if index.is_plain else {"name": Text(index.name)}
            lines.append(render.line(call("migrator.drop_index", Text(old.name), *words, **named)))
    return lines


def _add_indexes(table: Table, indexes: Iterable[Index]) -> list[str]:
    names = {column.column: column.name for column in table.columns.values()}
    return [render.line(render.add_index(table.name, index, names)) for index in indexes]


def _late_indexes(table: Table, late: frozenset[str]) -> list[Index]:
    """Those that the class of a new table can't carry."""
    own = [index for index in table.indexes if not index.is_own]
    return [index for index in own if not index.is_plain or late & set(index.columns)]


def _drop_constraints(old: Table, new: Table) -> list[str]:
    kept = tuple(text for text in old.constraints if text in new.constraints)
    return [] if kept == old.constraints else [_set_constraints(new.name, kept)]


def _set_constraints(table: str, texts: tuple[str, ...]) -> str:
    return render.line(call("migrator.change_constraints", Text(table), *render.constraints(texts)))


def _create(table: Table, late: frozenset[str], others: Tables) -> list[str]:
    name, taken = table.model.__name__, [other.model.__name__ for other in others.values() if other.name != table.name]
    if name in taken:  # peewee_migrate knows the models by the names of their classes too
        name = "".join(word.capitalize() for word in table.name.split("_")) + "Table"
    return [render.model(table, name=name, without=late)]


def creation_order(tables: list[Table]) -> list[tuple[Table, frozenset[str]]]:
    """Parents first. Where foreign keys go round in a circle, the columns that have to be added later on."""
    order, rest = [], list(tables)
    while rest:
        waiting = {table.name for table in rest}
        unmet = {table.name: _unmet(table, waiting - {table.name}) for table in rest}
        table = min(rest, key=lambda one: _hindrance(one, unmet[one.name]))
        order.append((table, frozenset(unmet[table.name])))
        rest.remove(table)
    return order


def _hindrance(table: Table, unmet: list[str]) -> tuple[int, int]:
    """Least for a table that lacks nothing, then for one whose foreign keys can be added without a value."""
    return sum(not _can_wait(table.columns[name]) for name in unmet), len(unmet)


def _unmet(table: Table, waiting: set[str]) -> list[str]:
    return [name for name, column in table.columns.items() if column.reference and column.reference.table in waiting]


def _can_wait(column: Column) -> bool:
    return column.null or bool(column.field.deferred)


def _is_changed(old: Column, new: Column) -> bool:
    return _essence(old) != _essence(new) or not _same(old.default, new.default)


def _only_null_differs(old: Column, new: Column) -> bool:
    return old.null != new.null and not _is_changed(replace(old, null=new.null), new)


def _essence(column: Column) -> Column:
    """Without what makes no difference to the database."""
    return replace(column, default="", literal="", checks=tuple(map(_words, column.checks)))


def _same(one: str, other: str) -> bool:
    return _words(one) == _words(other)


def _words(sql: str) -> str:
    return " ".join(sql.split()) if "'" in sql else " ".join(sql.upper().split())


def _told(value: object) -> str:
    if not isinstance(value, tuple) or not value:
        return "(none)"
    return "(" + ", ".join("=".join(map(str, one)) if isinstance(one, tuple) else str(one) for one in value) + ")"


def _settled(old: Tables, new: Tables, renames: Renames) -> Tables:
    """The new tables with the names of the fields that the migrations already know, since operations go by these."""
    known = {
        (table.name, column.column): column.name
        for table in _with_tables_renamed(old, renames.tables).values()
        for column in table.columns.values()
    }
    return {
        table.name: replace(
            table,
            columns={
                name: replace(column, name=known.get((table.name, name), column.name))
                for name, column in table.columns.items()
            },
        )
        for table in new.values()
    }


def _rename_tables(renames: Renames) -> list[str]:
    return [render.line(call("migrator.rename_table", Text(old), Text(new))) for old, new in renames.tables.items()]


def _rename_columns(old: Tables, new: Tables, renames: Renames) -> list[str]:
    lines = []
    for (table, before), after in renames.columns.items():
        column = new[table].columns[after]
        usual = f"{column.name.removesuffix('_id')}_id" if column.reference else column.name
        named: dict[str, Source] = {} if after == usual else {"column_name": Text(after)}
        words = Text(old[table].columns[before].name), Text(column.name)
        lines.append(render.line(call("migrator.rename_field", Text(table), *words, **named)))
    return lines


def _with_tables_renamed(tables: Tables, names: Mapping[str, str]) -> Tables:
    def column(one: Column) -> Column:
        reference = one.reference
        if reference is None:
            return one
        return replace(one, reference=replace(reference, table=names.get(reference.table, reference.table)))

    return {
        names.get(table.name, table.name): replace(
            table,
            name=names.get(table.name, table.name),
            columns={name: column(one) for name, one in table.columns.items()},
        )
        for table in tables.values()
    }


def _with_columns_renamed(table: Table, columns: Mapping[tuple[str, str], str]) -> Table:
    names = {old: new for (of, old), new in columns.items() if of == table.name}

    def column(one: Column) -> Column:
        to = one.reference
        reference = to and replace(to, column=columns.get((to.table, to.column), to.column))
        return replace(one, column=names.get(one.column, one.column), reference=reference)

    return replace(
        table,
        columns={names.get(name, name): column(one) for name, one in table.columns.items()},
        indexes=tuple(_index_renamed(one, names) for one in table.indexes),
        key=tuple(names.get(name, name) for name in table.key),
    )


def _index_renamed(index: Index, names: Mapping[str, str]) -> Index:
    parts = tuple(f'"{names[part[1:-1]]}"' if part[1:-1] in names else part for part in index.parts)
    return replace(index, parts=parts, columns=tuple(names.get(name, name) for name in index.columns))
