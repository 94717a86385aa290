"""The same migrations for every tool: the same SQL, each in the file format of its own."""

from __future__ import annotations

import json
from pathlib import Path

_PEEWEE = "import peewee as pw\n\n\ndef migrate(migrator, database, *, fake=False):\n    migrator.sql({sql})\n"
_PLAYHOUSE = "from peewee import *\n\n\ndef up(migrator, db):\n    db.execute_sql({sql})\n"
_ALEMBIC = (
    "from alembic import op\n\nrevision = {name}\ndown_revision = {before}\n\n\ndef upgrade():\n    op.execute({sql})\n"
)
_ALEMBIC_INI = "[alembic]\nscript_location = {folder}\n"
_ALEMBIC_ENV = """\
import os

from alembic import context
from sqlalchemy import create_engine, pool

engine = create_engine(os.environ["BENCHMARK_URL"], poolclass=pool.NullPool)
with engine.connect() as connection:
    context.configure(connection=connection, target_metadata=None, transaction_per_migration=True)
    with context.begin_transaction():
        context.run_migrations()
"""
_DJANGO = """\
from django.db import migrations


class Migration(migrations.Migration):
    dependencies = {before}
    operations = [migrations.RunSQL({sql})]
"""
_DJANGO_SETTINGS = """\
import json
import os

INSTALLED_APPS = ["shop"]
DATABASES = {"default": json.loads(os.environ["BENCHMARK_DATABASE"])}
USE_TZ = True
"""


def statements(count: int, *, is_sqlite: bool) -> list[str]:
    """What a service grows by: a table with a foreign key, an index on it, a column, and so on."""
    return [_statement(number, is_sqlite=is_sqlite) for number in range(count)]


def _statement(number: int, *, is_sqlite: bool) -> str:
    table, kind = number // 5, number % 5
    key = "INTEGER PRIMARY KEY" if is_sqlite else "SERIAL PRIMARY KEY"
    parent = f"shop_{table - 1}" if table else "shop_0"
    return [
        f"CREATE TABLE shop_{table} (id {key}, name VARCHAR(120) NOT NULL, email VARCHAR(254) NOT NULL UNIQUE,"
        f" notes TEXT, parent_id INTEGER REFERENCES {parent} (id) ON DELETE CASCADE, created_at TIMESTAMP NOT NULL)",
        f"CREATE INDEX shop_{table}_parent ON shop_{table} (parent_id)",
        f"ALTER TABLE shop_{table} ADD COLUMN color VARCHAR(7) NOT NULL DEFAULT '#000000'",
        f"CREATE INDEX shop_{table}_name ON shop_{table} (name, created_at)",
        f"ALTER TABLE shop_{table} ADD COLUMN is_active BOOLEAN NOT NULL DEFAULT {'1' if is_sqlite else 'TRUE'}",
    ][kind]


def names(count: int) -> list[str]:
    """From 000, because peewee-migrate sees three digits and no more."""
    return [f"{number:03d}_change_{number}" for number in range(count)]


def write_sql(path: Path, found: list[str]) -> None:
    path.write_text("".join(f"{statement};\n" for statement in found), "utf-8")


def write_sql_files(folder: Path, found: list[str]) -> None:
    """A migration each, in Slipway's other format."""
    folder.mkdir(parents=True)
    for name, sql in zip(names(len(found)), found, strict=True):
        write_sql(folder / f"{name}.sql", [sql])


def write_peewee(folder: Path, found: list[str]) -> None:
    """For stock peewee-migrate and for Slipway: the very same files."""
    _write(folder, _PEEWEE, found)


def write_playhouse(folder: Path, found: list[str]) -> None:
    _write(folder, _PLAYHOUSE, found)


def write_alembic(folder: Path, found: list[str]) -> None:
    (folder / "versions").mkdir(parents=True)
    (folder / "alembic.ini").write_text(_ALEMBIC_INI.format(folder=folder), "utf-8")
    (folder / "env.py").write_text(_ALEMBIC_ENV, "utf-8")
    before: str | None = None
    for name, sql in zip(names(len(found)), found, strict=True):
        text = _ALEMBIC.format(name=repr(name), before=repr(before), sql=json.dumps(sql))
        (folder / "versions" / f"{name}.py").write_text(text, "utf-8")
        before = name


def write_django(folder: Path, found: list[str]) -> None:
    package = folder / "shop" / "migrations"
    package.mkdir(parents=True)
    (folder / "settings.py").write_text(_DJANGO_SETTINGS, "utf-8")
    for place in (package.parent, package):
        (place / "__init__.py").touch()
    before: list[tuple[str, str]] = []
    for name, sql in zip(names(len(found)), found, strict=True):
        (package / f"{name}.py").write_text(_DJANGO.format(before=before, sql=json.dumps(sql)), "utf-8")
        before = [("shop", name)]


def _write(folder: Path, template: str, found: list[str]) -> None:
    folder.mkdir(parents=True)
    for name, sql in zip(names(len(found)), found, strict=True):
        (folder / f"{name}.py").write_text(template.format(sql=json.dumps(sql)), "utf-8")
