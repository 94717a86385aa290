"""Databases that somebody else has made: what `status` sees, and the command that adopts each."""

from __future__ import annotations

from pathlib import Path

import pytest
from peewee_migrate import Router

from service.database import open_database
from service.migrate import report
from service.migrate.cli import main
from service.migrate.connection import connect
from service.migrate.tables import prepare
from service.url import DatabaseUrl
from tests.support.migrations import applied, rows, table, write
from tests.support.processes import as_text


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "migrations"
    write(folder, "001_a", table("a"))
    write(folder, "002_b", table("b"))
    return folder


def test_an_empty_database_needs_no_advice(database_url: DatabaseUrl, folder: Path) -> None:
    assert report.read(database_url, folder).advice == ""


def test_one_of_ours_without_a_migration_yet_is_not_told_to_be_somebody_else_s(
    database_url: DatabaseUrl, folder: Path
) -> None:
    """As after a first deploy that failed, on a database with tables of another program."""
    rows(database_url, "CREATE TABLE anything (id INTEGER)")
    connection = connect(database_url)
    prepare(connection)
    connection.close()
    assert report.read(database_url, folder).advice == ""


def test_one_of_an_older_release_of_ours_is_not_told_to_be_somebody_else_s(
    database_url: DatabaseUrl, folder: Path
) -> None:
    """Whose journal lacks a column that came later."""
    main(["--database-url", as_text(database_url), "--dir", str(folder), "deploy"])
    rows(database_url, "ALTER TABLE migratejournal DROP COLUMN checkpoint")
    assert report.read(database_url, folder).advice == ""


def test_one_that_peewee_migrate_runs_is_adopted_by_the_next_deploy(
    database_url: DatabaseUrl, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    database = open_database(database_url)
    Router(database, migrate_dir=folder).run()
    database.close()
    words = ["--database-url", as_text(database_url), "--dir", str(folder)]
    assert main([*words, "status"]) == 0
    assert "the next `migrate deploy` adopts it as it is" in capsys.readouterr().out
    assert main([*words, "deploy"]) == 0
    assert report.read(database_url, folder).advice == ""


@pytest.mark.parametrize(
    ("their_table", "words"),
    [
        ("alembic_version", "Alembic has run on this database."),
        ("_prisma_migrations", "Prisma Migrate has run on this database."),
        ("django_migrations", "Django has run on this database."),
        ("anything", "This database has tables, but no history of migrations."),
    ],
)
def test_one_of_another_tool_is_recognised_and_adopted_by_what_is_there(
    database_url: DatabaseUrl, folder: Path, capsys: pytest.CaptureFixture[str], their_table: str, words: str
) -> None:
    rows(database_url, f"CREATE TABLE {their_table} (id INTEGER)")
    rows(database_url, "CREATE TABLE a (id INTEGER PRIMARY KEY)")
    command = ["--database-url", as_text(database_url), "--dir", str(folder)]
    assert main([*command, "status"]) == 1
    said = capsys.readouterr().out
    assert f"{words} `migrate resolve --detect` finds which" in said
    assert "2 migrations not recorded." in said
    assert "migrate deploy" not in said, "it would try to make what is there already"
    assert main([*command, "resolve", "--detect", "--yes"]) == 0
    assert main([*command, "deploy"]) == 0
    assert applied(database_url) == ["001_a", "002_b"]
    capsys.readouterr()
    assert main([*command, "status"]) == 0
    assert "has run on this database" not in capsys.readouterr().out


def test_a_refusal_of_the_database_is_one_sentence(
    postgresql_url: DatabaseUrl, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows(postgresql_url, "DROP ROLE IF EXISTS reader_only")
    rows(postgresql_url, "CREATE ROLE reader_only LOGIN")
    rows(postgresql_url, "REVOKE CREATE ON SCHEMA public FROM public")
    url = postgresql_url._replace(user="reader_only")
    assert main(["--database-url", as_text(url), "--dir", str(folder), "deploy"]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"{url} refuses: permission denied for schema public. Let its owner run `GRANT")
    rows(postgresql_url, "DROP ROLE reader_only")
