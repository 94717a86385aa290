"""A rollback in steps: killed anywhere, the next one goes on there, and nothing is built on half a schema meanwhile."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import pytest

from service.migrate import gate, report, runner
from service.migrate.errors import MigrationFailed, Refused, Unclear
from service.migrate.session import Outcome
from service.url import DatabaseUrl
from tests.support.migrations import applied, filled, rows, table, tables, target, write
from tests.support.processes import environment, run

NOT_ATOMIC = "atomic = False"
HALF = (
    "A rollback of 002_b was stopped after step 1 of 3: it is half undone. Finish it with `migrate rollback`; or "
    "restore what is gone, and record that with `migrate resolve --applied 002_b`."
)
UNDO = 'migrator.sql("DROP TABLE b")\nmigrator.sql("DROP TABLE {stumble}")\nmigrator.sql("DROP TABLE c")'


def roll_back(url: DatabaseUrl, folder: Path, **options: str) -> Outcome:
    return runner.rollback(target(url, folder), confirm=lambda _names: None, **options)


@pytest.fixture
def folder(database_url: DatabaseUrl, tmp_path: Path) -> Path:
    """The second migration makes b and c, and its rollback stumbles over d, which is not there."""
    folder = tmp_path / "m"
    write(folder, "001_a", table("a"))
    write(folder, "002_b", f"{table('b')}\n{table('c')}", UNDO.format(stumble="d"), top=NOT_ATOMIC)
    runner.deploy(target(database_url, folder))
    return folder


@pytest.fixture
def half_undone(database_url: DatabaseUrl, folder: Path) -> Path:
    with pytest.raises(MigrationFailed) as failure:
        roll_back(database_url, folder)
    assert str(failure.value).splitlines()[0] == (
        "Migration 002_b failed; it is not atomic: the steps of its rollback: steps 1 to 1 of 3 stand, and the next "
        "rollback goes on after them."
    )
    assert str(failure.value).endswith('Correct 002_b.py and roll back again: `migrate rollback --force --why "…"`.')
    assert {"a", "c"} <= tables(database_url)
    return folder


def test_a_rollback_goes_on_where_the_last_one_stopped(database_url: DatabaseUrl, half_undone: Path) -> None:
    rows(database_url, "CREATE TABLE d (id INTEGER)")
    outcome = roll_back(database_url, half_undone)
    assert [event.migration for event in outcome.done] == ["002_b"]
    assert applied(database_url) == ["001_a"]
    assert not {"b", "c", "d"} & tables(database_url)


def test_nothing_builds_on_a_schema_that_is_half_undone(database_url: DatabaseUrl, half_undone: Path) -> None:
    write(half_undone, "003_c", table("e"))
    with pytest.raises(Refused) as refusal:
        runner.deploy(target(database_url, half_undone))
    assert str(refusal.value) == HALF
    assert gate.check(database_url, half_undone).reason == HALF
    assert [str(problem) for problem in report.read(database_url, half_undone).problems] == [HALF]


def test_a_release_that_has_not_the_file_is_told_which_one_can_help(
    database_url: DatabaseUrl, half_undone: Path
) -> None:
    (half_undone / "002_b.py").unlink()
    with pytest.raises(Refused, match="Finish it with `migrate rollback`, with the release that has its file; or"):
        runner.deploy(target(database_url, half_undone))


def test_what_was_restored_can_be_recorded(database_url: DatabaseUrl, half_undone: Path) -> None:
    rows(database_url, "CREATE TABLE b (id INTEGER PRIMARY KEY)")
    runner.resolve(target(database_url, half_undone), applied=["002_b"])
    assert runner.deploy(target(database_url, half_undone)).newest == "002_b"
    rows(database_url, "CREATE TABLE d (id INTEGER)")
    roll_back(database_url, half_undone)
    assert applied(database_url) == ["001_a"]


def test_after_the_rollback_is_finished_all_goes_its_way_again(database_url: DatabaseUrl, half_undone: Path) -> None:
    rows(database_url, "CREATE TABLE d (id INTEGER)")
    roll_back(database_url, half_undone)
    assert runner.deploy(target(database_url, half_undone)).newest == "002_b"
    assert {"b", "c"} <= tables(database_url)


def test_a_rollback_that_undid_nothing_stands_in_nobodys_way(database_url: DatabaseUrl, folder: Path) -> None:
    write(folder, "003_e", table("e"), 'migrator.sql("DROP TABLE nowhere")', top=NOT_ATOMIC)
    runner.deploy(target(database_url, folder))
    with pytest.raises(MigrationFailed, match="none of its steps is known to stand"):
        roll_back(database_url, folder)
    write(folder, "004_f", table("f"))
    assert runner.deploy(target(database_url, folder)).newest == "004_f"


def test_a_killed_rollback_is_finished_by_the_next_one(database_url: DatabaseUrl, tmp_path: Path) -> None:
    folder = tmp_path / "m"
    once = f"import os, signal, pathlib; mark = pathlib.Path({str(tmp_path / 'killed')!r})"
    kill = "migrator.run(lambda: mark.exists() or (mark.touch(), os.kill(os.getpid(), signal.SIGKILL)))"
    undo = f'{once}\nmigrator.sql("DROP TABLE b")\n{kill}\nmigrator.sql("DROP TABLE c")'
    write(folder, "001_a", table("a"))
    write(folder, "002_b", f"{table('b')}\n{table('c')}", undo, top=NOT_ATOMIC)
    runner.deploy(target(database_url, folder))
    words = [sys.executable, "-m", "service.migrate.cli", "--dir", str(folder)]
    killed = run(*words, "rollback", "--yes", env=environment(database_url))
    assert (killed.returncode, "c" in tables(database_url)) == (-signal.SIGKILL, True)
    (problem,) = report.read(database_url, folder).problems
    assert problem.what.startswith("A rollback of 002_b is running, or was killed, after step 1 of 3")
    deploy = run(*words, "deploy", env=environment(database_url))
    assert (deploy.returncode, "Finish it with `migrate rollback`" in deploy.stderr) == (1, True)
    again = run(*words, "rollback", "--yes", env=environment(database_url))
    assert (again.returncode, again.stdout.splitlines()[-1]) == (0, "The schema is at 001_a.")
    assert not {"b", "c"} & tables(database_url)


def interrupted(url: DatabaseUrl, name: str) -> None:
    """As if its rollback had been killed while its first step, which has no transaction, was running."""
    rows(url, f"INSERT INTO migratehistory (name, migrated_at) VALUES ('{name}', '2026-11-21')")
    mark = "state = 'running', step = 0, checkpoint = '{\"1\": {\"begun\": true}}'"
    rows(url, f"UPDATE migratejournal SET {mark} WHERE migration = '{name}' AND action = 'rollback'")


def test_an_index_that_was_dropped_unnoticed_is_not_missed(postgresql_url: DatabaseUrl, tmp_path: Path) -> None:
    """Killed after the index was gone and before the journal said so."""
    make, drop = "CREATE INDEX CONCURRENTLY a_id ON a (id)", "DROP INDEX CONCURRENTLY a_id"
    write(tmp_path / "m", "001_a", table("a"))
    write(tmp_path / "m", "002_i", f'migrator.sql("{make}")', f'migrator.sql("{drop}")', top=NOT_ATOMIC)
    runner.deploy(target(postgresql_url, tmp_path / "m"))
    roll_back(postgresql_url, tmp_path / "m")
    interrupted(postgresql_url, "002_i")
    roll_back(postgresql_url, tmp_path / "m")
    assert applied(postgresql_url) == ["001_a"]


def test_a_step_that_nothing_tells_of_stops_with_the_commands_that_help(
    postgresql_url: DatabaseUrl, tmp_path: Path
) -> None:
    write(tmp_path / "m", "001_a", table("a"))
    undo = 'migrator.sql("ALTER SYSTEM RESET work_mem")'
    write(tmp_path / "m", "002_s", 'migrator.sql("SELECT 1")', undo, top=NOT_ATOMIC)
    runner.deploy(target(postgresql_url, tmp_path / "m"))
    roll_back(postgresql_url, tmp_path / "m")
    interrupted(postgresql_url, "002_s")
    with pytest.raises(Unclear) as stopped:
        roll_back(postgresql_url, tmp_path / "m")
    assert str(stopped.value) == (
        "The rollback of 002_s was interrupted in step 1 of 1, which runs outside a transaction, and nothing tells "
        "whether it was done: ALTER SYSTEM RESET work_mem. Look at the database. Undo what is still there and record "
        "it with `migrate resolve --rolled-back 002_s`, or restore what is gone and record that with "
        "`migrate resolve --applied 002_s`."
    )
    runner.resolve(target(postgresql_url, tmp_path / "m"), rolled_back=["002_s"])
    assert runner.deploy(target(postgresql_url, tmp_path / "m")).newest == "002_s"


def test_a_backfill_of_a_rollback_goes_on_at_its_next_batch(database_url: DatabaseUrl, tmp_path: Path) -> None:
    folder = filled(database_url, tmp_path, count=10)
    stumble = "lambda row: 1 / 0 if row.id == 8 else {'hits': 5}"
    change = "migrator.backfill('words', {}, batch=3)"
    write(folder, "002_hits", "pass", change.format(stumble), top=NOT_ATOMIC)
    runner.deploy(target(database_url, folder))
    with pytest.raises(MigrationFailed, match="6 of 10 rows of words stand, and the next rollback goes on after them"):
        roll_back(database_url, folder)
    write(folder, "002_hits", "pass", change.format("lambda row: {'hits': 7}"), top=NOT_ATOMIC)
    roll_back(database_url, folder, forced_because="it divided by zero")
    assert rows(database_url, "SELECT hits, count(*) FROM words GROUP BY hits ORDER BY hits") == [(5, 6), (7, 4)]


def edit(path: Path) -> None:
    path.write_text(path.read_text().replace("DROP TABLE b", "DROP TABLE a"))


def test_nothing_is_undone_by_a_file_that_was_edited_since(database_url: DatabaseUrl, tmp_path: Path) -> None:
    path = write(tmp_path / "m", "001_b", f"{table('a')}\n{table('b')}", 'migrator.sql("DROP TABLE b")')
    runner.deploy(target(database_url, tmp_path / "m"))
    edit(path)
    with pytest.raises(Refused) as refusal:
        roll_back(database_url, tmp_path / "m")
    assert str(refusal.value) == (
        "001_b was edited after it was applied. Restore the file; or, if what it says now does undo it, add "
        '--force --why "…", which the journal keeps.'
    )
    assert (refusal.value.exit_code, applied(database_url)) == (1, ["001_b"])
    assert {"a", "b"} <= tables(database_url)


@pytest.mark.parametrize("top", ["", NOT_ATOMIC])
def test_an_edited_rollback_runs_for_a_reason_that_the_journal_keeps(
    database_url: DatabaseUrl, tmp_path: Path, top: str
) -> None:
    path = write(tmp_path / "m", "001_b", f"{table('a')}\n{table('b')}", 'migrator.sql("DROP TABLE b")', top=top)
    runner.deploy(target(database_url, tmp_path / "m"))
    edit(path)
    words = [sys.executable, "-m", "service.migrate.cli", "--dir", str(tmp_path / "m")]
    silent = run(*words, "rollback", "--yes", "--force", "--why", " ", env=environment(database_url))
    assert (silent.returncode, silent.stderr) == (1, '--force and --why "the reason" go together.\n')
    done = run(*words, "rollback", "--yes", "--force", "--why", "a goes, b stays", env=environment(database_url))
    assert (done.returncode, applied(database_url)) == (0, [])
    assert {"a", "b"} & tables(database_url) == {"b"}
    assert "    a goes, b stays" in run(*words, "journal", env=environment(database_url)).stdout.splitlines()


def test_only_what_is_undone_has_to_be_as_it_was(database_url: DatabaseUrl, tmp_path: Path) -> None:
    path = write(tmp_path / "m", "001_b", table("b"), 'migrator.sql("DROP TABLE b")')
    write(tmp_path / "m", "002_c", table("c"), 'migrator.sql("DROP TABLE c")')
    runner.deploy(target(database_url, tmp_path / "m"))
    edit(path)
    roll_back(database_url, tmp_path / "m")
    assert applied(database_url) == ["001_b"]


@pytest.mark.parametrize(
    ("ending", "hint"),
    [
        ("py", 'touches = ["…"], and roll back again: `migrate rollback --force --why "…"`.'),
        ("sql", '-- touches: …, and roll back again: `migrate rollback --force --why "…"`.'),
    ],
)
def test_a_loss_is_declared_in_the_words_of_the_file(
    database_url: DatabaseUrl, tmp_path: Path, ending: str, hint: str
) -> None:
    make = "CREATE TABLE a (id INTEGER PRIMARY KEY); CREATE TABLE b (id INTEGER REFERENCES a ON DELETE CASCADE)"
    if database_url.is_sqlite:  # which has its foreign keys off meanwhile
        make += "; CREATE TRIGGER t AFTER DELETE ON a BEGIN DELETE FROM b; END"
    if ending == "py":
        write(tmp_path, "001_a", f'migrator.sql("{make}")', 'migrator.sql("DELETE FROM a")')
    else:
        (tmp_path / "001_a.sql").write_text(make)
        (tmp_path / "001_a.down.sql").write_text("DELETE FROM a")
    runner.deploy(target(database_url, tmp_path))
    rows(database_url, "INSERT INTO a VALUES (1)")
    rows(database_url, "INSERT INTO b VALUES (1)")
    with pytest.raises(MigrationFailed) as failure:
        roll_back(database_url, tmp_path)
    assert str(failure.value).splitlines()[-1].endswith(hint)


def test_what_somebody_else_has_undone_meanwhile_is_not_undone_again(database_url: DatabaseUrl, tmp_path: Path) -> None:
    """Between the question and the answer; the lock keeps out only those who take it."""
    write(tmp_path, "001_a", table("a"), "migrator.sql('DROP TABLE a')")
    runner.deploy(target(database_url, tmp_path))

    def undo_meanwhile(_names: object) -> None:
        rows(database_url, "DELETE FROM migratehistory")

    with pytest.raises(Refused, match="Another deploy has taken this migration over"):
        runner.rollback(target(database_url, tmp_path), confirm=undo_meanwhile)
    assert "a" in tables(database_url)
