"""Migrations outside a transaction: each step stands on its own, and the next deploy goes on where one stopped."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from service.migrate import runner
from service.migrate.errors import MigrationFailed, Unclear
from service.url import DatabaseUrl
from tests.support.migrations import applied, rows, table, tables, target, write
from tests.support.processes import environment, run

NOT_ATOMIC = "atomic = False"
CONCURRENTLY = 'migrator.sql("CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS a_x ON a (x)")'
KILL = "import os, signal; migrator.run(os.kill, os.getpid(), signal.SIGKILL)"


def deploy_and_die(url: DatabaseUrl, folder: Path) -> None:
    result = run("migrate", "--dir", str(folder), "deploy", env=environment(url))
    assert result.returncode == -signal.SIGKILL, result.stderr


def test_an_index_is_built_concurrently(postgresql_url: DatabaseUrl, tmp_path: Path) -> None:
    write(tmp_path / "m", "001_a", table("a", "x INTEGER"))
    write(tmp_path / "m", "002_index", CONCURRENTLY, top=NOT_ATOMIC)
    runner.deploy(target(postgresql_url, tmp_path / "m"))
    assert rows(postgresql_url, "SELECT indisvalid FROM pg_index WHERE indexrelid = 'a_x'::regclass") == [(True,)]


BOTS = """
@migrator.create_model
class Bot(pw.Model):
    name = pw.CharField()
    mood = pw.CharField(null=True)
    class Meta:
        table_name = "bots"
"""


def test_the_verb_for_an_index_builds_it_concurrently_too(database_url: DatabaseUrl, tmp_path: Path) -> None:
    write(tmp_path / "m", "001_bots", BOTS)
    body = """
    migrator.add_index("bots", "name", unique=True, concurrently=True)
    migrator.add_index("bots", "mood", "name", concurrently=True, where=pw.SQL("mood > 'a''b'"))
    """
    write(tmp_path / "m", "002_index", body, top=NOT_ATOMIC)
    runner.deploy(target(database_url, tmp_path / "m"))
    expected = {"bots_name", "bots_mood_name"}
    catalog = "SELECT name FROM sqlite_master" if database_url.is_sqlite else "SELECT indexname FROM pg_indexes"
    assert expected <= {row[0] for row in rows(database_url, catalog)}
    write(tmp_path / "m", "003_drop", 'migrator.drop_index("bots", "mood", "name")')
    runner.deploy(target(database_url, tmp_path / "m"))


@pytest.mark.parametrize("body", [CONCURRENTLY, 'migrator.add_index("bots", "name", concurrently=True)'])
def test_inside_a_transaction_it_is_refused_with_the_word_that_helps(
    postgresql_url: DatabaseUrl, tmp_path: Path, body: str
) -> None:
    write(tmp_path / "m", "001_bots", BOTS)
    write(tmp_path / "m", "002_index", body)
    with pytest.raises(MigrationFailed, match="write `atomic = False` at the top of the file"):
        runner.deploy(target(postgresql_url, tmp_path / "m"))


def test_a_killed_deploy_is_finished_by_the_next_one(database_url: DatabaseUrl, tmp_path: Path) -> None:
    folder = tmp_path / "m"
    write(folder, "001_a", f"{table('a')}\n{KILL}\n{table('b')}")
    deploy_and_die(database_url, folder)
    assert "a" not in tables(database_url)
    write(folder, "001_a", f"{table('a')}\n{table('b')}")
    runner.deploy(target(database_url, folder))
    assert {"a", "b"} <= tables(database_url)
    states = rows(database_url, "SELECT state, error FROM migratejournal ORDER BY id")
    assert states == [("failed", "the process was killed"), ("done", None)]


def test_steps_that_stand_are_not_run_again(database_url: DatabaseUrl, tmp_path: Path) -> None:
    folder = tmp_path / "m"
    first, last = table("a", "x INTEGER"), table("b")
    write(folder, "001_a", f"{first}\nmigrator.sql('INSERT INTO a VALUES (1, 1)')\n{KILL}\n{last}", top=NOT_ATOMIC)
    deploy_and_die(database_url, folder)
    assert applied(database_url) == []
    write(folder, "001_a", f"{first}\nmigrator.sql('INSERT INTO a VALUES (1, 1)')\n{last}", top=NOT_ATOMIC)
    runner.deploy(target(database_url, folder))
    assert rows(database_url, "SELECT count(*) FROM a") == [(1,)]
    assert applied(database_url) == ["001_a"]


def test_a_failure_between_steps_says_which_stand(database_url: DatabaseUrl, tmp_path: Path) -> None:
    write(tmp_path / "m", "001_a", f"{table('a')}\nmigrator.sql('DROP TABLE nowhere')", top=NOT_ATOMIC)
    with pytest.raises(MigrationFailed, match="steps 1 to 1 of 2 stand, and the next deploy goes on after them"):
        runner.deploy(target(database_url, tmp_path / "m"))
    write(tmp_path / "m", "001_a", f"{table('a')}\n{table('b')}", top=NOT_ATOMIC)
    assert runner.deploy(target(database_url, tmp_path / "m")).newest == "001_a"


def test_an_invalid_index_is_cleared_and_built_again(postgresql_url: DatabaseUrl, tmp_path: Path) -> None:
    folder = tmp_path / "m"
    write(folder, "001_a", table("a", "x INTEGER"))
    runner.deploy(target(postgresql_url, folder))
    rows(postgresql_url, "INSERT INTO a VALUES (1, 7), (2, 7)")
    write(folder, "002_index", CONCURRENTLY, top=NOT_ATOMIC)
    with pytest.raises(MigrationFailed, match="could not create unique index"):
        runner.deploy(target(postgresql_url, folder))
    assert rows(postgresql_url, "SELECT indisvalid FROM pg_index WHERE indexrelid = 'a_x'::regclass") == [(False,)]
    rows(postgresql_url, "DELETE FROM a WHERE id = 2")
    runner.deploy(target(postgresql_url, folder))
    assert rows(postgresql_url, "SELECT indisvalid FROM pg_index WHERE indexrelid = 'a_x'::regclass") == [(True,)]


def test_a_step_that_was_finished_unnoticed_is_not_run_twice(postgresql_url: DatabaseUrl, tmp_path: Path) -> None:
    """Killed after the index was there and before the journal said so."""
    folder = tmp_path / "m"
    plain = 'migrator.sql("CREATE INDEX CONCURRENTLY a_x ON a (x)")'
    write(folder, "001_a", table("a", "x INTEGER"))
    write(folder, "002_index", plain, top=NOT_ATOMIC)
    runner.deploy(target(postgresql_url, folder))
    rows(postgresql_url, "DELETE FROM migratehistory WHERE name = '002_index'")
    rows(postgresql_url, "UPDATE migratejournal SET state = 'running', step = 0 WHERE migration = '002_index'")
    runner.deploy(target(postgresql_url, folder))
    assert applied(postgresql_url) == ["001_a", "002_index"]


def test_a_table_may_be_made_filled_changed_and_renamed_in_one_migration(
    database_url: DatabaseUrl, tmp_path: Path
) -> None:
    """What becomes of a model later in the file is not what its table was made with."""
    body = """
    @migrator.create_model
    class A(pw.Model):
        x = pw.IntegerField(index=True)
        class Meta:
            table_name = "a"
    migrator.sql("INSERT INTO a (x) VALUES (1)")
    migrator.add_fields("a", y=pw.IntegerField(default=2))
    migrator.rename_table("a", "b")
    """
    write(tmp_path / "m", "001_a", body)
    runner.deploy(target(database_url, tmp_path / "m"))
    assert rows(database_url, "SELECT x, y FROM b") == [(1, 2)]


def interrupt_in_step(url: DatabaseUrl, folder: Path, name: str, step: int) -> None:
    """As if the deploy had been killed while this step, which has no transaction, was running."""
    rows(url, f"DELETE FROM migratehistory WHERE name = '{name}'")
    mark = f"UPDATE migratejournal SET state = 'running', step = {step - 1}, checkpoint = '{{\"{step}\": "
    rows(url, f"{mark}{{\"begun\": true}}}}' WHERE migration = '{name}'")


def test_a_step_that_nothing_tells_of_stops_with_the_commands_that_help(
    postgresql_url: DatabaseUrl, tmp_path: Path
) -> None:
    folder = tmp_path / "m"
    make = "CREATE PROCEDURE tidy() LANGUAGE plpgsql AS $$ BEGIN INSERT INTO a VALUES (1); COMMIT; END $$"
    write(folder, "001_a", f"{table('a')}\nmigrator.sql('{make}')")
    write(folder, "002_tidy", f"{table('b')}\nmigrator.sql('CALL tidy()')", top=NOT_ATOMIC)
    runner.deploy(target(postgresql_url, folder))
    assert rows(postgresql_url, "SELECT count(*) FROM a") == [(1,)]
    interrupt_in_step(postgresql_url, folder, "002_tidy", 2)
    with pytest.raises(Unclear) as stopped:
        runner.deploy(target(postgresql_url, folder))
    assert str(stopped.value) == (
        "002_tidy was interrupted in step 2 of 2, which runs outside a transaction, and nothing tells whether it was "
        "done: CALL tidy(). Step 1 stands. Look at the database. Complete what is missing and record it with "
        "`migrate resolve --applied 002_tidy`, or undo what is there and have it run again from its first step with "
        "`migrate resolve --rolled-back 002_tidy` and `migrate deploy`."
    )
    rows(postgresql_url, "DROP TABLE b; DELETE FROM a")
    runner.resolve(target(postgresql_url, folder), rolled_back=["002_tidy"])
    assert runner.deploy(target(postgresql_url, folder)).newest == "002_tidy"


@pytest.mark.parametrize(
    ("statement", "left"),
    [
        ("DROP INDEX CONCURRENTLY a_x", "SELECT 1"),
        ("DROP INDEX CONCURRENTLY a_x", "CREATE INDEX a_x ON a (x)"),
        ("REINDEX INDEX CONCURRENTLY a_y", "CREATE INDEX a_y_ccnew ON a (x)"),
        ("VACUUM a", "SELECT 1"),
    ],
)
def test_what_was_cut_off_outside_a_transaction_is_finished(
    postgresql_url: DatabaseUrl, tmp_path: Path, statement: str, left: str
) -> None:
    folder = tmp_path / "m"
    indexes = 'migrator.sql("CREATE INDEX a_x ON a (x); CREATE INDEX a_y ON a (y)")'
    write(folder, "001_a", f"{table('a', 'x INTEGER', 'y INTEGER')}\n{indexes}")
    write(folder, "002_cut", f'migrator.sql("{statement}")', top=NOT_ATOMIC)
    runner.deploy(target(postgresql_url, folder))
    rows(postgresql_url, left)
    rows(postgresql_url, "UPDATE pg_index SET indisvalid = false WHERE indexrelid = to_regclass('a_y_ccnew')")
    interrupt_in_step(postgresql_url, folder, "002_cut", 1)
    assert runner.deploy(target(postgresql_url, folder)).newest == "002_cut"
    names = rows(postgresql_url, "SELECT indexname FROM pg_indexes WHERE tablename = 'a' ORDER BY 1")
    assert names == [("a_pkey",), *([("a_x",)] if "a_x" not in statement else []), ("a_y",)]


def test_if_not_exists_never_accepts_an_index_that_somebody_left_invalid(
    postgresql_url: DatabaseUrl, tmp_path: Path
) -> None:
    write(tmp_path / "m", "001_a", table("a", "x INTEGER"))
    runner.deploy(target(postgresql_url, tmp_path / "m"))
    rows(postgresql_url, "CREATE INDEX a_x ON a (x)")
    rows(postgresql_url, "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'a_x'::regclass")
    write(tmp_path / "m", "002_index", CONCURRENTLY, top=NOT_ATOMIC)
    runner.deploy(target(postgresql_url, tmp_path / "m"))
    assert rows(postgresql_url, "SELECT indisvalid FROM pg_index WHERE indexrelid = 'a_x'::regclass") == [(True,)]


def test_the_body_of_a_migration_in_steps_may_look_and_not_change(database_url: DatabaseUrl, tmp_path: Path) -> None:
    """What it changed itself would be no step, and done once more after a crash."""
    write(tmp_path / "m", "001_a", f"{table('a')}\nmigrator.sql('INSERT INTO a VALUES (7)')")
    look = 'n = database.execute_sql("SELECT max(id) FROM a").fetchone()[0]'
    write(tmp_path / "m", "002_b", f'{look}\nmigrator.sql(f"UPDATE a SET id = {{n + 1}}")', top=NOT_ATOMIC)
    write(tmp_path / "m", "003_c", 'database.execute_sql("DELETE FROM a")', top=NOT_ATOMIC)
    with pytest.raises(MigrationFailed, match=r"change things by migrator\.sql or migrator\.run"):
        runner.deploy(target(database_url, tmp_path / "m"))
    assert rows(database_url, "SELECT id FROM a") == [(8,)]


def test_a_step_may_not_commit_by_itself(database_url: DatabaseUrl, tmp_path: Path) -> None:
    write(tmp_path / "m", "001_a", f"{table('a')}\nmigrator.sql('COMMIT')", top=NOT_ATOMIC)
    with pytest.raises(MigrationFailed, match="The runner begins and commits"):
        runner.deploy(target(database_url, tmp_path / "m"))
