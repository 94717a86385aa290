"""For the developer's own machine: draft a migration, push and pull models, start over."""

from __future__ import annotations

import importlib
import io
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from types import ModuleType
from typing import Any

import peewee as pw
from peewee_migrate.auto import diff_many

from service.migrate import engine, files
from service.migrate.connection import connect
from service.migrate.errors import Refused
from service.migrate.history import HISTORY, JOURNAL
from service.migrate.verbs import Migrator
from service.url import MEMORY, DatabaseUrl

_TEMPLATE = '''"""{title}."""

from __future__ import annotations

import peewee as pw
from peewee_migrate import Migrator


def migrate(migrator: Migrator, database: pw.Database, *, fake: bool = False) -> None:
    {migrate}


def rollback(migrator: Migrator, database: pw.Database, *, fake: bool = False) -> None:
    {rollback}
'''
_EMPTY = 'pass  # for example: migrator.add_fields("chatbots", color=pw.CharField(null=True))'


def create(folder: Path, title: str, *, models: list[type[pw.Model]] | None, is_sqlite: bool) -> Path | None:
    """Write the next migration: an empty one, or with `models` what leads from the files to them. Returns its path,
    or None where the models ask for no change. A folder that does not exist yet is made."""
    folder.mkdir(parents=True, exist_ok=True)
    found = files.scan(folder)
    migrate = rollback = _EMPTY
    if models is not None:
        forward = changes(found, models, is_sqlite=is_sqlite)
        if not forward:
            return None
        migrate, rollback = _indented(forward), _indented(_reverse(found, models, is_sqlite=is_sqlite))
    path = folder / f"{files.next_name(found, title)}.py"
    words = title.strip().replace("_", " ")
    path.write_text(_TEMPLATE.format(title=words[:1].upper() + words[1:], migrate=migrate, rollback=rollback), "utf-8")
    return path


def changes(found: tuple[files.MigrationFile, ...], models: list[type[pw.Model]], *, is_sqlite: bool) -> list[str]:
    """The operations that lead from the migrations to the models, as source; none where they agree."""
    migrator = engine.replay(found, is_sqlite=is_sqlite)
    return _with_peewees_json(diff_many(models, list(migrator.orm), migrator))


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


def _reverse(found: tuple[files.MigrationFile, ...], models: list[type[pw.Model]], *, is_sqlite: bool) -> list[str]:
    migrator = engine.replay(found, is_sqlite=is_sqlite)
    return _with_peewees_json(diff_many(list(migrator.orm), models, migrator, reverse=True))


def _with_peewees_json(operations: list[str]) -> list[str]:
    """peewee_migrate takes every JSONField for playhouse's, which is json rather than jsonb on PostgreSQL."""
    return [operation.replace("pw_pext.JSONField(", "pw.JSONField(") for operation in operations]


def _indented(operations: list[str]) -> str:
    return "\n\n".join(operations).replace("\n", "\n    ") or "pass"


def _models_in(module: ModuleType) -> list[type[pw.Model]]:
    found = (value for value in vars(module).values() if isinstance(value, type) and issubclass(value, pw.Model))
    return [model for model in found if model is not pw.Model]


def _push_columns(database: Any, model: type[pw.Model]) -> list[str]:
    table = model._meta.table_name
    columns = {column.name for column in database.get_columns(table)}
    migrator = Migrator(database)
    steps = migrator.begin(Path())
    lines = []
    for field in model._meta.sorted_fields:
        if field.column_name not in columns:
            migrator.add_fields(model, **{field.name: field.clone()})
            lines.append(f"column {table}.{field.column_name}")
    for step in steps:
        step.run()
    return lines
