"""Constraints of a live table, which are known by what they say where they have no name."""

from __future__ import annotations

import re
from typing import Any

import peewee as pw

from service.migrate.altering import catalog, redefinition
from service.migrate.altering.sqlite import rebuild


def name_of(text: str) -> str:
    """The name in its SQL; empty where it has none."""
    match = re.match(r'CONSTRAINT\s+(?:"([^"]+)"|(\w+))', text, re.IGNORECASE)
    return (match[1] or match[2]) if match else ""


def add(database: Any, table: str, text: str) -> None:
    if isinstance(database, pw.SqliteDatabase):
        rebuild(database, table, lambda old: old.plus(text))
    else:
        database.execute_sql(f'ALTER TABLE "{table}" ADD {text}', None)


def drop(database: Any, table: str, text: str) -> None:
    """By its name, or where it has none as the one that says the same. Raises LookupError."""
    if isinstance(database, pw.SqliteDatabase):
        rebuild(database, table, redefinition.without_constraint(text))
        return
    name = name_of(text) or _asked_for(database, table, text)
    if not name:
        raise LookupError(f"{table} has no constraint {text}")
    database.execute_sql(f'ALTER TABLE "{table}" DROP CONSTRAINT "{name}"', None)


def drop_foreign_key(database: Any, table: str, column: str) -> None:
    """On PostgreSQL."""
    for (name,) in database.execute_sql(catalog.FOREIGN_KEYS, (table, column)).fetchall():
        database.execute_sql(f'ALTER TABLE "{table}" DROP CONSTRAINT "{name}"', None)


def _asked_for(database: Any, table: str, text: str) -> str:
    """PostgreSQL knows best which of its texts this one becomes: it makes another of it, to compare."""
    database.execute_sql(f'CREATE TEMPORARY TABLE _slipway_asked (LIKE "{table}")', None)
    database.execute_sql(f"ALTER TABLE _slipway_asked ADD {text}", None)
    found = database.execute_sql(catalog.ASK_NAME, (table,)).fetchone()
    database.execute_sql("DROP TABLE _slipway_asked", None)
    return str(found[0]) if found else ""
