"""For the developer's own machine: push and pull models, start over."""

from __future__ import annotations

import importlib
import io
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from types import ModuleType
from typing import Any

import peewee as pw

from service.migrate.altering.verbs import Migrator
from service.migrate.applying import engine
from service.migrate.applying.steps import Steps
from service.migrate.connection import connect
from service.migrate.errors import Refused
from service.migrate.tables import HISTORY, JOURNAL
from service.url import MEMORY, DatabaseUrl


def load_models(name: str) -> list[type[pw.Model]]:
    """The concrete models of a module: its TABLES where it lists them, else every model class in it."""
    try:
        module = importlib.import_module(name)
    except ImportError as error:
        raise Refused(f"Can't import the models module {name}: {error}. Name it with MIGRATIONS_MODELS.") from None
    return list(getattr(module, "TABLES", None) or _models_in(module))


def push(url: DatabaseUrl, models: list[type[pw.Model]]) -> list[str]:
    """Make the tables, columns and indexes that the models have and the database does not; remove nothing.
    Returns what was made, a line each."""
    with _opened(url) as database, database.atomic(), database.bind_ctx(models, bind_refs=False, bind_backrefs=False):
        existing = set(database.get_tables())
        missing = [model for model in models if model._meta.table_name not in existing]
        create_tables(database, missing)
        lines = [f"table {model._meta.table_name}" for model in missing]
        for model in models:
            if model not in missing:
                lines += _push_columns(database, model)
                model.create_table(safe=True)
    return lines


def create_tables(database: pw.Database, models: list[type[pw.Model]]) -> None:
    """Make tables that refer to each other in circles: Peewee leaves out the foreign key that closes one."""
    late = [
        field
        for model in models
        for field in model._meta.sorted_fields
        if isinstance(field, pw.ForeignKeyField) and field.deferred
    ]
    is_sqlite = isinstance(database, pw.SqliteDatabase)
    for field in late:
        field.deferred = not is_sqlite  # SQLite has no ADD CONSTRAINT, but lets a table refer to one yet to come
    try:
        database.create_tables(models)
    finally:
        for field in late:
            field.deferred = True
    for field in late if not is_sqlite else []:
        field.model._schema.create_foreign_key(field)


def pull(url: DatabaseUrl) -> str:
    """Models of the live database, as Peewee's own pwiz writes them."""
    import pwiz  # type: ignore[import-untyped]
    from playhouse.reflection import Introspector

    with _opened(url) as database:
        text = io.StringIO()
        introspector: Any = Introspector
        tables = [table for table in database.get_tables() if table not in (HISTORY, JOURNAL)]
        with redirect_stdout(text):
            pwiz.print_models(introspector.from_database(database), tables)
    return text.getvalue()


def reset(url: DatabaseUrl) -> None:
    """Remove everything from the database: the file of an SQLite one, what the schema holds in PostgreSQL."""
    if not url.is_sqlite:
        database = connect(url)
        schema = database.execute("SELECT quote_ident(current_schema())").fetchone()[0]
        with database.transaction():
            database.execute(f"DROP SCHEMA {schema} CASCADE")
            database.execute(f"CREATE SCHEMA {schema}")
        database.close()
    elif url.name != MEMORY:
        for suffix in ("", "-wal", "-shm"):
            Path(url.name + suffix).unlink(missing_ok=True)


@contextmanager
def _opened(url: DatabaseUrl) -> Iterator[Any]:
    """A Peewee database on the runner's own kind of connection, closed afterwards."""
    connection = connect(url)
    try:
        yield engine.Engine(connection, ()).database
    finally:
        connection.close()


def _models_in(module: ModuleType) -> list[type[pw.Model]]:
    found = (value for value in vars(module).values() if isinstance(value, type) and issubclass(value, pw.Model))
    return [model for model in found if model is not pw.Model]


def _push_columns(database: Any, model: type[pw.Model]) -> list[str]:
    table = model._meta.table_name
    columns = {column.name for column in database.get_columns(table)}
    migrator, steps = Migrator(database), Steps("")
    migrator.begin(steps)
    lines = []
    for field in model._meta.sorted_fields:
        if field.column_name not in columns:
            migrator.add_fields(model, **{field.name: field.clone()})
            lines.append(f"column {table}.{field.column_name}")
    for step in steps:
        step.run()
    return lines
