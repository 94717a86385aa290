"""Small migration folders for the tests, and a way to look into a database without Peewee."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from textwrap import dedent, indent
from typing import Any

from service.migrate.connection import connect
from service.migrate.runner import deploy
from service.migrate.session import Target
from service.url import DatabaseUrl

_HEAD = "import peewee as pw\n"
_FUNCTION = "def {name}(migrator, database, *, fake=False):\n{body}\n"


def write(folder: Path, name: str, migrate: str = "pass", rollback: str | None = None, *, top: str = "") -> Path:
    """A migration file: `migrate` and `rollback` are the bodies of its functions, `top` stands above them."""
    folder.mkdir(exist_ok=True)
    text = _HEAD + dedent(top) + "\n\n" + _function("migrate", migrate)
    if rollback is not None:
        text += "\n\n" + _function("rollback", rollback)
    path = folder / f"{name}.py"
    path.write_text(text, "utf-8")
    return path


def table(name: str, *columns: str) -> str:
    """A body that makes a table with an integer key and these columns."""
    body = ", ".join(["id INTEGER PRIMARY KEY", *columns])
    return f'migrator.sql("CREATE TABLE {name} ({body})")'


def filled(url: DatabaseUrl, place: Path, count: int) -> Path:
    """A folder with one migration, applied: it makes `words`, with that many rows and nothing in `length`."""
    body = """
    @migrator.create_model
    class Word(pw.Model):
        word, hits = pw.TextField(), pw.IntegerField(default=0)
        length = pw.IntegerField(null=True, constraints=[pw.Check("length >= 0")])
        class Meta:
            table_name = "words"
    """
    write(place / "migrations", "001_words", body)
    deploy(target(url, place / "migrations"))
    numbers = f"WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {count})"
    rows(url, f"{numbers} INSERT INTO words (word, hits) SELECT 'word ' || n, 0 FROM n")
    return place / "migrations"


def target(url: DatabaseUrl, folder: Path, **options: Any) -> Target:
    return Target(url, folder, **options)


def rows(url: DatabaseUrl, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    """The rows that a statement gives, on a connection of its own."""
    connection = connect(url)
    try:
        cursor = connection.execute(sql, parameters)
        return [tuple(row) for row in cursor.fetchall()] if cursor.description else []
    finally:
        connection.close()


def tables(url: DatabaseUrl) -> set[str]:
    catalog = (
        "SELECT name FROM sqlite_master WHERE type = 'table'"
        if url.is_sqlite
        else "SELECT tablename FROM pg_tables WHERE schemaname = current_schema()"
    )
    return {row[0] for row in rows(url, catalog)}


def applied(url: DatabaseUrl) -> list[str]:
    return [row[0] for row in rows(url, "SELECT name FROM migratehistory ORDER BY id")]


def _function(name: str, body: str) -> str:
    return _FUNCTION.format(name=name, body=indent(dedent(body).strip(), "    "))
