"""From one set of tables to another: the operations of a migration, as source, in an order that works."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from dataclasses import replace

from service.migrate.altering.keys import SETTINGS
from service.migrate.altering.shape import Column, Index, Table, Tables
from service.migrate.drafting import referrers, render
from service.migrate.drafting.names import Renames, renamed, settled, with_tables_renamed
from service.migrate.drafting.order import creation_order
from service.migrate.drafting.referrers import Columns
from service.migrate.drafting.sameness import default_of, is_changed, only_null_differs
from service.migrate.drafting.source import Source, Text, call, tall

# Settings of a model for which there is no operation, and the SQL that a person writes instead.
_BY_HAND = {"schema": 'ALTER TABLE "{table}" SET SCHEMA …', "table_settings": 'ALTER TABLE "{table}" SET …'}
_FILL = "    # Rows that are there already need a value first: until they have one, the next line fails."


def operations(old: Tables, new: Tables, renames: Renames) -> list[str]:
    """What leads from `old` to `new`, each operation as indented lines of source."""
    new = settled(old, new, renames)
    lines = [*_rename_tables(renames), *_rename_columns(with_tables_renamed(old, renames.tables), new, renames)]
    old = settled(new, renamed(old, renames), Renames())
    made = [new[name] for name in new if name not in old]
    kept = [(old[table.name], table) for table, _ in creation_order(new[name] for name in new if name in old)]
    order = creation_order(made)
    gone = [old[name] for name in old if name not in new]
    unsure = referrers.giving_way(kept)
    first = referrers.going_first(gone, unsure)
    unsure |= referrers.of(first)
    for number, (before, after) in enumerate(kept):
        released, freed = _release(before, after, unsure)
        lines += [*_drop_constraints(before, after), *released]
        kept[number] = freed, after
    lines += _remove_tables(first)
    for before, after in kept:
        lines += _drop_indexes(before, after) + _change_key(before, after)
    for table, late in order:
        lines += _create(table, late, old | new)
    for table, late in order:
        lines += _add_columns(table, {name: table.columns[name] for name in table.columns if name in late})
    for before, after in kept:
        lines += _change_table(before, after)
    for table, late in order:
        lines += _add_indexes(table, _late_indexes(table, late))
    return lines + _remove_tables([table for table in gone if table not in first])


def outcome(old: Tables, new: Tables, renames: Renames) -> Tables:
    """The tables after these operations: the new ones, with what was left as it was in the old ones."""
    before = settled(new, renamed(old, renames), Renames())

    def column(table: Table, one: Column) -> Column:
        was = before[table.name].columns.get(one.column) if table.name in before else None
        if was is None:
            return one if table.name not in before else _at_first(one)
        return replace(one, default=default_of(was, one))

    return {
        name: replace(table, columns={key: column(table, one) for key, one in table.columns.items()})
        for name, table in settled(old, new, renames).items()
    }


def unsupported(old: Tables, new: Tables) -> list[str]:
    """What no operation can change: to be told with what to write by hand, since nothing is drafted for it."""
    lines = []
    for name in sorted(old.keys() & new.keys()):
        before, after = (dict(tables[name].options) for tables in (old, new))
        for setting, sql in _BY_HAND.items():
            if before.get(setting) != after.get(setting):
                wanted = after.get(setting)
                lines.append(
                    f"{name}: its {setting} should be {wanted!r}. Write migrator.sql('{sql.format(table=name)}') and, "
                    f'for the next draft, migrator.change_settings("{name}", {setting}={wanted!r}).'
                )
    return lines


def _change_table(old: Table, new: Table) -> list[str]:
    added = {name: column for name, column in new.columns.items() if name not in old.columns}
    removed = [name for name in old.columns if name not in new.columns]
    lines = _add_columns(new, {name: added[name] for name in added if name not in new.key})
    lines += _change_columns(old, new)
    lines += _remove_columns(old, removed)
    implied = {index for index in new.indexes if index.is_own and index.columns[0] in added}
    lines += _add_indexes(new, [index for index in new.indexes if index not in {*old.indexes, *implied}])
    if set(new.constraints) - set(old.constraints):
        lines.append(_set_constraints(new.name, new.constraints))
    return lines


def _remove_tables(tables: Sequence[Table]) -> list[str]:
    """Children first."""
    return [
        render.line(call("migrator.remove_model", Text(table.name))) for table, _ in reversed(creation_order(tables))
    ]


def _remove_columns(table: Table, names: Sequence[str]) -> list[str]:
    words = [Text(table.columns[name].name) for name in names]
    return [render.line(call("migrator.remove_fields", Text(table.name), *words))] if words else []


def _release(old: Table, new: Table, unsure: Columns) -> tuple[list[str], Table]:
    """What makes a table refer to none of these any more, and the table then; what stays refers again later on."""
    leaving = referrers.leaving(old, new, unsure)
    kept = [index for index in old.indexes if index in new.indexes or referrers.is_sure(index)]
    rest = replace(
        old,
        columns={name: column for name, column in old.columns.items() if name not in leaving},
        indexes=tuple(index for index in kept if not set(leaving) & set(index.columns)),
    )
    loose = referrers.loosened(rest, unsure)
    dropped = replace(old, indexes=tuple(index for index in old.indexes if index not in kept))
    return [*_drop_indexes(dropped, new), *_remove_columns(old, leaving), *_change_columns(rest, loose)], loose


def _change_key(old: Table, new: Table) -> list[str]:
    """After what belongs to the key was added, and before anything refers to it; what belonged to the old one goes
    later. Settings come last, since a table without rowid needs a key."""
    added = {name: new.columns[name] for name in new.key if name not in old.columns}
    numbered = {name: column for name, column in added.items() if column.field.auto_increment}
    lines = _add_columns(new, {name: _without_key(added[name]) for name in added if name not in numbered})
    if old.key != new.key:
        names = [Text(new.columns[name].name) for name in new.key if name not in numbered]
        fields = render.fields(numbered, {})
        lines.append(render.line(call("migrator.change_primary_key", Text(new.name), *names, **fields)))
    before, after = dict(old.options), dict(new.options)
    settings: dict[str, Source] = {
        name: str(bool(after.get(name))) for name in SETTINGS if before.get(name) != after.get(name)
    }
    return [*lines, *([render.line(call("migrator.change_settings", Text(new.name), **settings))] if settings else [])]


def _without_key(column: Column) -> Column:
    """A column is added first, and becomes the key when all its rows have a value."""
    if not column.field.primary_key:
        return column
    plain = copy.copy(column.field)
    plain.primary_key = False
    return replace(column, field=plain)


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
        if only_null_differs(before, after):
            if after.null:
                lines.append(render.line(call("migrator.drop_not_null", Text(new.name), Text(after.name))))
            else:
                lines += _require(new, [after.name])
        elif is_changed(before, after):
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
