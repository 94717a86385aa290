"""SQL that adds what a schema lacks; nothing that exists is touched."""

from __future__ import annotations

import re
from collections.abc import Iterator

from service.migrate.proving.snapshot import Snapshot, TableSchema, joined

_TRIGGER = re.compile(r'CREATE (?:CONSTRAINT )?TRIGGER (?P<name>"[^"]+"|\S+) ')


def additions(expected: Snapshot, live: Snapshot, *, is_sqlite: bool) -> list[str]:
    """In an order in which they can be run together: what a table may need comes before it."""
    triggers = [] if is_sqlite else list(_create_triggers(expected, live))  # SQLite's lose their line ends
    return [*_create_things(expected, live), *_create_tables(expected, live, is_sqlite=is_sqlite), *triggers]


def _create_things(expected: Snapshot, live: Snapshot) -> Iterator[str]:
    """Types, sequences and functions. What a function speaks of may come after it."""
    missing = {name: text for name, text in expected.things.items() if name not in live.things}
    for wanted in ("type", "domain", "sequence"):
        for thing, text in sorted(missing.items()):
            kind, _, name = thing.partition(" ")
            if kind == wanted:
                yield f'CREATE {kind.upper()} "{name}" AS {text}'
    functions = [text for name, text in sorted(missing.items()) if name.startswith(("function ", "procedure "))]
    if functions:
        yield "SET LOCAL check_function_bodies = off"
    yield from (text.rstrip() for text in functions)


def _create_triggers(expected: Snapshot, live: Snapshot) -> Iterator[str]:
    for name, table in sorted(expected.tables.items()):
        there = live.tables.get(name, TableSchema()).triggers
        names = {_trigger_name(text) for text in there}
        yield from (text for text in sorted(table.triggers - there) if _trigger_name(text) not in names)


def _trigger_name(text: str) -> str:
    match = _TRIGGER.match(text)
    return match["name"] if match else ""


def _create_tables(expected: Snapshot, live: Snapshot, *, is_sqlite: bool) -> list[str]:
    statements: list[str] = []
    taken = {index for table in live.tables.values() for index in table.index_names.values()}
    for name, table in sorted(expected.tables.items(), key=lambda item: _depth(item[0], expected)):
        there = live.tables.get(name)
        if there is None:
            statements.append(_create_table(name, table))
        else:
            missing = sorted(table.columns.keys() - there.columns.keys())
            statements += [
                f'ALTER TABLE "{name}" ADD COLUMN {_column(column, table.columns[column])}' for column in missing
            ]
        whole = expected.tables.get(_part_of(table), TableSchema())  # whose indexes each of its parts has
        indexes = table.indexes - whole.indexes - (there.indexes if there else set())
        for shape in sorted(indexes):
            called = table.index_names.get(shape, "")
            called = "" if called in taken else called  # by another one, which is not ours to drop
            statements.append(_create_index(name, shape, called, is_sqlite=is_sqlite))
    return statements


def _create_table(name: str, table: TableSchema) -> str:
    create = joined(["CREATE", table.persistence, "TABLE"])
    if _part_of(table):  # the rest comes from that one
        return f'{create} "{name}" {table.options}'
    parts = [_column(column, text) for column, text in table.columns.items()]
    key = table.primary_key
    parts += [key if key.startswith("PRIMARY KEY") else f"PRIMARY KEY ({key})"] if key else []
    parts += [key if key.startswith("FOREIGN KEY") else f"FOREIGN KEY {key}" for key in sorted(table.foreign_keys)]
    return f'{create} "{name}" ({", ".join([*parts, *sorted(table.checks)])}) {table.options}'.strip()


def _part_of(table: TableSchema) -> str:
    """The partitioned table that it is a part of, else nothing."""
    match = re.match(r"PARTITION OF (\w+|\"[^\"]+\")", table.options)
    return match[1].strip('"') if match else ""


def _column(name: str, text: str) -> str:
    if "nextval(its sequence)" in text:
        return f'"{name}" {"bigserial" if text.startswith("bigint") else "serial"}'
    return f'"{name}" {text}'


def _create_index(table: str, shape: str, name: str, *, is_sqlite: bool) -> str:
    """Under its own name, by which a later migration may drop it; PostgreSQL finds one by itself where it has none."""
    unique, rest = ("UNIQUE ", shape.removeprefix("UNIQUE ")) if shape.startswith("UNIQUE ") else ("", shape)
    if is_sqlite and not name:
        words = re.sub(r"\W+", "_", rest).strip("_").lower()
        name = f'"{table}_{words}"'
    return f'CREATE {unique}INDEX {name + " " if name else ""}ON "{table}" {rest}'


def _depth(table: str, snapshot: Snapshot, seen: frozenset[str] = frozenset()) -> int:
    """How many tables must be there before this one, by its foreign keys, or as what it is a part of."""
    keys = " ".join(snapshot.tables[table].foreign_keys)
    parents = {name.strip('"') for name in re.findall(r"REFERENCES (\w+|\"[^\"]+\")", keys)}
    parents.add(_part_of(snapshot.tables[table]))
    parents = (parents & snapshot.tables.keys()) - seen - {table}
    return 1 + max((_depth(parent, snapshot, seen | {table}) for parent in parents), default=0)
