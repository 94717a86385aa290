"""A schema as plain values, normalised so that two databases of one engine can be compared, whatever the names of their
constraints and indexes and the order of their columns; and what one has that another has not."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import zip_longest

_SHOWN = 160


@dataclass
class TableSchema:
    """Column name -> its type, NOT NULL and DEFAULT; the rest as text without names, each kind a set. Triggers, rules
    and policies are known by their names. `index_names` are no part of what is compared: index -> name, in SQL."""

    columns: dict[str, str] = field(default_factory=dict)
    primary_key: str = ""
    foreign_keys: set[str] = field(default_factory=set)
    indexes: set[str] = field(default_factory=set)
    checks: set[str] = field(default_factory=set)
    triggers: set[str] = field(default_factory=set)
    rules: set[str] = field(default_factory=set)
    policies: set[str] = field(default_factory=set)
    row_security: str = ""
    options: str = ""
    persistence: str = ""
    index_names: dict[str, str] = field(default_factory=dict, compare=False)


@dataclass
class Snapshot:
    """`things` stand beside the tables, each under its kind and its name: `function forbid(integer)`, `type mood`,
    `sequence order_numbers`. `others` are the schemas beside the current one, as they are on PostgreSQL."""

    tables: dict[str, TableSchema] = field(default_factory=dict)
    views: dict[str, str] = field(default_factory=dict)
    things: dict[str, str] = field(default_factory=dict)
    others: dict[str, Snapshot] = field(default_factory=dict)


def facts(snapshot: Snapshot) -> frozenset[str]:
    """Everything that a schema has, each thing a line: `table users`, `users: column email VARCHAR(254) NOT NULL`."""
    lines = [f"view {name} {text}" for name, text in snapshot.views.items()]
    lines += [joined([name, text]) for name, text in snapshot.things.items()]
    for name, table in snapshot.tables.items():
        lines += [f"table {name}", *(f"{name}: {line}" for line in _facts_of_table(table))]
    for name, other in snapshot.others.items():
        lines += [f"schema {name}", *(f"schema {name}: {line}" for line in facts(other))]
    return frozenset(lines)


def shortened(text: str) -> str:
    """A line of it that a person can read: the text of a function may be pages long."""
    line = joined(text.split())
    return line if len(line) <= _SHOWN else f"{line[:_SHOWN]}…"


def joined(parts: Iterable[object]) -> str:
    return " ".join(str(part) for part in parts if part)


def of_view(view: str, kind: str, text: str) -> str:
    """The name among the things of what hangs on a view, which goes with it."""
    return f"view {view}: {kind} {joined(text.split())}"


def _facts_of_table(table: TableSchema) -> Iterable[str]:
    yield from (f"column {name} {text}" for name, text in table.columns.items())
    for kind, texts in _kinds(table):
        yield from (f"{kind} {text}" for text in texts if text)


def _kinds(table: TableSchema) -> list[tuple[str, set[str]]]:
    return [
        ("primary key", {table.primary_key}),
        ("foreign key", table.foreign_keys),
        ("index", table.indexes),
        ("check", table.checks),
        ("trigger", table.triggers),
        ("rule", table.rules),
        ("policy", table.policies),
        ("row security", {table.row_security}),
        ("option", {table.options, table.persistence}),
    ]


def diff(expected: Snapshot, found: Snapshot) -> list[str]:
    """What `found` lacks and has too much, a readable line each; empty where the two are equal."""
    lines = _diff_names("table ", expected.tables, found.tables)
    for name in sorted(expected.tables.keys() & found.tables.keys()):
        lines += [f"{name}: {line}" for line in _diff_tables(expected.tables[name], found.tables[name])]
    gone = tuple(of_view(name, "", "").rstrip() for name in expected.views.keys() ^ found.views.keys())
    lines += _diff_named("view ", expected.views, found.views)
    lines += [line for line in _diff_named("", expected.things, found.things) if not line.startswith(gone)]
    lines += _diff_names("schema ", expected.others, found.others)
    for name in sorted(expected.others.keys() & found.others.keys()):
        lines += [f"schema {name}: {line}" for line in diff(expected.others[name], found.others[name])]
    return lines


def _diff_tables(expected: TableSchema, found: TableSchema) -> list[str]:
    lines = _diff_named("column ", expected.columns, found.columns)
    for (kind, old), (_, new) in zip(_kinds(expected), _kinds(found), strict=True):
        lines += [f"{kind} {text} is missing" for text in sorted(filter(None, old - new))]
        lines += [f"{kind} {text} is not expected" for text in sorted(filter(None, new - old))]
    return lines


def _diff_names(kind: str, expected: Iterable[str], found: Iterable[str]) -> list[str]:
    missing, extra = set(expected) - set(found), set(found) - set(expected)
    lines = [f"{kind}{name} is missing" for name in sorted(missing)]
    return lines + [f"{kind}{name} is not expected" for name in sorted(extra)]


def _diff_named(kind: str, expected: dict[str, str], found: dict[str, str]) -> list[str]:
    lines = _diff_names(kind, expected, found)
    changed = sorted(name for name in expected.keys() & found.keys() if expected[name] != found[name])
    return lines + [f"{kind}{name} {_change(found[name], expected[name])}" for name in changed]


def _change(found: str, expected: str) -> str:
    """Of a longer text, such as a function, the first line that is another one."""
    lines = list(zip_longest(found.splitlines(), expected.splitlines(), fillvalue=""))
    if len(lines) == 1:
        return f"is {found}, expected {expected}"
    there, here = next(pair for pair in lines if pair[0] != pair[1])
    return f"differs: {shortened(there) or 'nothing'}, expected {shortened(here) or 'nothing'}"
