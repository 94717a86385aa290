"""What the live database has: tables, columns, keys and indexes, as plain values. The only source of identifiers."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from types import ModuleType
from typing import Any, Literal, NamedTuple

import peewee as pw

from service.admin.studio import postgresql, sqlite
from service.admin.studio.kinds import Kind, kind_of
from service.database import is_sqlite
from service.models import TABLES

# A column of such a name is never read, shown, filtered by or written.
_SECRET = re.compile(r"password|secret|_hash$", re.IGNORECASE)

OnDelete = Literal["CASCADE", "SET NULL", "SET DEFAULT", "RESTRICT", "NO ACTION"]


@dataclass(frozen=True)
class Column:
    """`default` is SQL, empty where there is none; `is_computed` ones are written by the database alone."""

    name: str
    type: str
    is_required: bool
    default: str = ""
    is_computed: bool = False

    @cached_property
    def kind(self) -> Kind:
        return kind_of(self.type)

    @cached_property
    def is_number(self) -> bool:
        return self.kind in ("integer", "number")

    @cached_property
    def is_secret(self) -> bool:
        return bool(_SECRET.search(self.name))


class ForeignKey(NamedTuple):
    table: str
    columns: tuple[str, ...]
    parent: str
    parent_columns: tuple[str, ...]
    on_delete: OnDelete


class Index(NamedTuple):
    name: str
    definition: str


@dataclass(frozen=True)
class Table:
    """`key` names the columns of the primary key; without one, a row has no address."""

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...] = ()
    foreign_keys: tuple[ForeignKey, ...] = ()

    def column(self, name: str) -> Column | None:
        return next((column for column in self.columns if column.name == name), None)

    @cached_property
    def shown(self) -> tuple[Column, ...]:
        return tuple(column for column in self.columns if not column.is_secret)

    @cached_property
    def key_columns(self) -> tuple[Column, ...]:
        by_name = {column.name: column for column in self.columns}
        return tuple(by_name[name] for name in self.key)

    def link_of(self, column: str) -> ForeignKey | None:
        """The foreign key that consists of this column alone."""
        return next((link for link in self.foreign_keys if link.columns == (column,)), None)


@dataclass(frozen=True)
class Catalog:
    tables: dict[str, Table]

    @cached_property
    def _referring(self) -> dict[str, tuple[ForeignKey, ...]]:
        links = [link for table in self.tables.values() for link in table.foreign_keys]
        return {name: tuple(link for link in links if link.parent == name) for name in self.tables}

    def referring(self, table: str) -> tuple[ForeignKey, ...]:
        """The foreign keys that point at the table."""
        return self._referring[table]


class Raw(NamedTuple):
    """What an engine's own catalog says, a tuple a thing; the names of Column and ForeignKey say what it is."""

    columns: list[tuple[str, str, str, bool, str, bool]]
    keys: dict[str, tuple[str, ...]]
    foreign_keys: list[tuple[str, tuple[str, ...], str, tuple[str, ...], OnDelete]]


def read(database: pw.Database) -> Catalog:
    """The tables of the connection's own schema, by name."""
    raw = Raw(*_engine(database).read(database))
    columns: dict[str, list[Column]] = {}
    meant = _meant() if is_sqlite(database) else {}
    for table, name, declared, is_required, default, is_computed in raw.columns:
        kind = meant.get((table, name), declared)
        columns.setdefault(table, []).append(Column(name, kind, is_required, default, is_computed))
    links = [ForeignKey(*link) for link in raw.foreign_keys if link[2] in columns]
    return Catalog({name: _table(name, tuple(columns[name]), raw, links) for name in sorted(columns)})


def _meant() -> dict[tuple[str, str], str]:
    """SQLite has neither JSON nor BOOLEAN; the models know which columns are meant so."""
    types = {pw.JSONField: "JSON", pw.BooleanField: "BOOLEAN"}
    return {
        (model._meta.table_name, field.column_name): types[type(field)]
        for model in TABLES
        for field in model._meta.sorted_fields
        if type(field) in types
    }


def _table(name: str, columns: tuple[Column, ...], raw: Raw, links: list[ForeignKey]) -> Table:
    return Table(
        name,
        columns,
        raw.keys.get(name, ()),
        tuple(link for link in links if link.table == name),
    )


def indexes(database: pw.Database, table: Table) -> list[Index]:
    """By name. Asked for by themselves: it takes long to write them down, and one page shows them."""
    return [Index(*found) for found in _engine(database).indexes(database, table.name)]


def _engine(database: pw.Database) -> ModuleType:
    return sqlite if is_sqlite(database) else postgresql


def entity(database: pw.Database, table: Table) -> Any:
    """The table for Peewee's query builder."""
    return pw.Table(_escaped(database, table.name)).bind(database)


def named(database: pw.Database, table: Table) -> pw.Entity:
    """Its name alone, for SQL that is written out."""
    return pw.Entity(_escaped(database, table.name))


def field(database: pw.Database, source: Any, column: str) -> Any:
    return pw.Column(source, _escaped(database, column))


def _escaped(database: pw.Database, name: str) -> str:
    """Peewee doubles the quotes; a per cent sign is for psycopg2, which would look for a parameter there."""
    return name if is_sqlite(database) else name.replace("%", "%%")
