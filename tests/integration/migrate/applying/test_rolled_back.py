"""A migration in Python has the driver's own connection, and rolls back nothing of the runner's with it: without the
runner's entry, what comes after would stand, and be done a second time after a kill."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import pytest

from service.migrate import runner
from service.migrate.errors import MigrationFailed
from service.url import DatabaseUrl
from tests.support.migrations import applied, rows, table, tables, target, write
from tests.support.processes import environment, run

OURS = {"migratehistory", "migratejournal"}
TOP = """
import os, pathlib
from psycopg2 import sql
from psycopg2.extras import execute_batch

once = pathlib.Path(__file__).with_name("once")

def tried(work):
    try:
        work()
    except Exception as error:
        print(error)

def by_itself(connection):
    connection.autocommit = False
    connection.cursor().execute("SELECT 1")
    connection.rollback()

def kill_once():
    if not once.exists():
        once.touch()
        os.kill(os.getpid(), 9)
"""
WAYS = {
    "a cursor": "database.cursor().execute('ROLLBACK')",
    "a cursor of the connection": "database.connection().cursor().execute('/* so */ rollback work')",
    "the connection": "database.connection().rollback()",
    "Peewee": "database.rollback()",
    "SQL": "database.execute_sql('  ROLLBACK')",
}
OF_POSTGRESQL = {
    "a word of several": "database.execute_sql(\"SELECT ';'; ABORT; BEGIN\")",
    "the next transaction": "database.cursor().execute(b'ROLLBACK AND CHAIN')",
    "two phases": "database.cursor().execute(\"PREPARE TRANSACTION 'a'\")",
    "composed": "database.cursor().execute(sql.SQL('{}').format(sql.SQL('ROLLBACK')))",
    "a helper": "execute_batch(database.cursor(), 'ROLLBACK', [()])",
}
OF_SQLITE = {"the connection's own words": "database.connection().execute('rollback')"}


def words(folder: Path) -> list[str]:
    return [sys.executable, "-m", "service.migrate.cli", "--dir", str(folder), "deploy"]


def assert_is_healed(url: DatabaseUrl, folder: Path, way: str, top: str = "") -> None:
    """What tries that, goes on and is killed leaves what any other leaves."""
    outbreak = f"tried(lambda: {way})\ndatabase.execute_sql('CREATE TABLE second (id INT)')\nkill_once()"
    work = "\n    ".join(["def work():", *outbreak.splitlines()])
    body = f"{work}\n{table('first')}\nmigrator.run(work)\n{table('third')}"
    write(folder, "001_a", body, top=f"{TOP}\n{top}")
    killed = run(*words(folder), env=environment(url))
    assert (killed.returncode, "second" in tables(url)) == (-signal.SIGKILL, False), killed
    healed = run(*words(folder), env=environment(url))
    assert healed.returncode == 0, healed.stderr
    assert tables(url) == OURS | {"first", "second", "third"}


@pytest.mark.parametrize("top", ["", "atomic = False"])
@pytest.mark.parametrize("way", WAYS)
def test_what_is_killed_after_it_tried_is_healed(database_url: DatabaseUrl, tmp_path: Path, way: str, top: str) -> None:
    assert_is_healed(database_url, tmp_path, WAYS[way], top)


@pytest.mark.parametrize("way", OF_POSTGRESQL)
def test_in_any_words_of_postgresql(postgresql_url: DatabaseUrl, tmp_path: Path, way: str) -> None:
    assert_is_healed(postgresql_url, tmp_path, OF_POSTGRESQL[way])


@pytest.mark.parametrize("way", OF_SQLITE)
def test_in_any_words_of_sqlite(sqlite_url: DatabaseUrl, tmp_path: Path, way: str) -> None:
    assert_is_healed(sqlite_url, tmp_path, OF_SQLITE[way])


@pytest.mark.parametrize("top", ["", "atomic = False"])
def test_what_the_driver_rolls_back_by_itself_goes_no_further(
    postgresql_url: DatabaseUrl, tmp_path: Path, top: str
) -> None:
    body = "def work():\n    by_itself(database.connection())\n    database.cursor().execute('CREATE TABLE b (id INT)')"
    write(tmp_path, "001_a", f"{body}\nmigrator.run(work)", top=f"{TOP}\n{top}")
    with pytest.raises(MigrationFailed, match="it has ended the transaction, which is the runner's to end"):
        runner.deploy(target(postgresql_url, tmp_path))
    assert (tables(postgresql_url), applied(postgresql_url)) == (OURS, [])


@pytest.mark.parametrize("top", ["", "atomic = False"])
def test_nor_what_sqlite_has_rolled_back(sqlite_url: DatabaseUrl, tmp_path: Path, top: str) -> None:
    """As INSERT OR ROLLBACK has it; the migration catches the error, and goes on with a cursor."""
    rows(sqlite_url, "CREATE TABLE a (id INTEGER PRIMARY KEY)")
    rows(sqlite_url, "INSERT INTO a VALUES (1)")
    insert = "tried(lambda: cursor.execute('INSERT OR ROLLBACK INTO a VALUES (1)'))"
    work = f"def work():\n    cursor = database.cursor()\n    {insert}\n    cursor.execute('CREATE TABLE b (id INT)')"
    write(tmp_path, "001_a", f"{work}\nmigrator.run(work)", top=f"{TOP}\n{top}")
    with pytest.raises(MigrationFailed, match="SQLite has rolled the transaction back"):
        runner.deploy(target(sqlite_url, tmp_path))
    assert "b" not in tables(sqlite_url)


def test_savepoints_are_the_migrations_own(database_url: DatabaseUrl, tmp_path: Path) -> None:
    undone = "for sql in ['SAVEPOINT here', 'CREATE TABLE b (id INT)', 'ROLLBACK TO here']:"
    write(tmp_path, "001_a", f"{undone}\n    database.cursor().execute(sql)\n{table('a')}")
    assert runner.deploy(target(database_url, tmp_path)).newest == "001_a"
    assert tables(database_url) == OURS | {"a"}


def test_a_step_outside_of_a_transaction_may_have_its_own(database_url: DatabaseUrl, tmp_path: Path) -> None:
    """It asks for that by a statement that no transaction holds."""
    work = "VACUUM", "BEGIN", "CREATE TABLE b (id INT)", "ROLLBACK"
    body = f"def work():\n    cursor = database.cursor()\n    for sql in {work}:\n        cursor.execute(sql)"
    write(tmp_path, "001_a", f"{body}\nmigrator.run(work)", top="atomic = False")
    assert runner.deploy(target(database_url, tmp_path)).newest == "001_a"
    assert tables(database_url) == OURS
