"""A migration's row in the history is there at its end, and of the same transaction; else nothing of it remains."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import pytest

from service.migrate import gate, report, runner
from service.migrate.errors import MigrationFailed, Refused, Unproven
from service.url import DatabaseUrl
from tests.support.blockers import in_the_way
from tests.support.migrations import applied, rows, table, tables, target, write
from tests.support.processes import environment, run

OURS = {"migratehistory", "migratejournal"}


@pytest.mark.parametrize("end", ["COMMIT", "END", "ABORT", "ABORT AND CHAIN", "PREPARE TRANSACTION 'a'"])
def test_the_end_of_a_transaction_is_refused_in_any_words(
    postgresql_url: DatabaseUrl, tmp_path: Path, end: str
) -> None:
    (tmp_path / "001_a.sql").write_text(f"CREATE TABLE first (id INT); {end}; CREATE TABLE second (id INT);")
    with pytest.raises(MigrationFailed, match="The runner begins and commits"):
        runner.deploy(target(postgresql_url, tmp_path))
    assert tables(postgresql_url) == OURS


@pytest.mark.parametrize("way", ["database.cursor().execute", "database.execute_sql"])
def test_a_migration_does_not_go_on_in_the_next_transaction(
    postgresql_url: DatabaseUrl, tmp_path: Path, way: str
) -> None:
    chained = f"migrator.run(lambda: {way}('SELECT 1; ROLLBACK AND CHAIN'))"
    assert_is_undone(postgresql_url, tmp_path, chained, "The runner begins and commits")


def test_a_migration_that_empties_the_history_is_not_applied(database_url: DatabaseUrl, tmp_path: Path) -> None:
    is_gone = "its row in migratehistory is gone"
    assert_is_undone(database_url, tmp_path, "migrator.sql('DELETE FROM migratehistory')", is_gone)


def test_a_rollback_that_goes_on_in_the_next_transaction_has_not_undone_it(
    postgresql_url: DatabaseUrl, tmp_path: Path
) -> None:
    chained = "migrator.run(lambda: database.cursor().execute('COMMIT AND CHAIN'))"
    write(tmp_path, "001_a", table("first"), rollback=f"migrator.sql('DROP TABLE first')\n{chained}")
    runner.deploy(target(postgresql_url, tmp_path))
    with pytest.raises(MigrationFailed, match="it has ended the transaction"):
        runner.rollback(target(postgresql_url, tmp_path), confirm=print)
    assert rows(postgresql_url, "SELECT name FROM migratehistory") == [("001_a",)]
    assert plan_of(postgresql_url, tmp_path) == [HALF_UNDONE]


CHAINED = {"postgresql": "COMMIT AND CHAIN", "sqlite": "COMMIT', 'BEGIN"}
HALF = (
    "001_a was stopped after it had ended its own transaction: some of it may stand. Look at the database: complete "
    "what is missing and record it with `migrate resolve --applied 001_a`, or undo what stands and have it run again "
    "after `migrate resolve --rolled-back 001_a`."
)

HALF_UNDONE = (
    "The rollback of 001_a was stopped after it had ended its own transaction: some of it may be gone. Look at the "
    "database. Undo what is still there and record it with `migrate resolve --rolled-back 001_a`, or restore what is "
    "gone and record that with `migrate resolve --applied 001_a`."
)


def plan_of(url: DatabaseUrl, folder: Path) -> list[str]:
    return [str(problem) for problem in report.read(url, folder).problems]


def chaining(url: DatabaseUrl, folder: Path, then: str) -> DatabaseUrl:
    """A migration that makes `first`, commits it, and goes on in another transaction."""
    ends = CHAINED["sqlite" if url.is_sqlite else "postgresql"]
    chained = f"def chain():\n    for end in ['{ends}']:\n        database.cursor().execute(end)"
    write(folder, "001_a", f"{chained}\n{table('first')}\nmigrator.run(chain)\n{then}\n{table('second')}")
    return url


def test_what_fails_after_a_commit_of_its_own_gives_its_claim_back(database_url: DatabaseUrl, tmp_path: Path) -> None:
    """With its row in the history, the next deploy would have been content with a half."""
    chaining(database_url, tmp_path, "migrator.sql('DROP TABLE nowhere')")
    with pytest.raises(MigrationFailed) as failure:
        runner.deploy(target(database_url, tmp_path))
    first, *_, reason, hint = str(failure.value).splitlines()
    assert first == "Migration 001_a failed; some of it may stand."
    assert reason.startswith("  reason: it has ended the transaction, which is the runner's to end; then came ")
    assert "nowhere" in reason
    assert hint.startswith("Look at the database and undo by hand what stands.")
    assert (applied(database_url), "first" in tables(database_url)) == ([], True)


def test_a_lock_that_it_meets_after_that_is_no_reason_to_go_on_without_it(
    postgresql_url: DatabaseUrl, tmp_path: Path
) -> None:
    """The next try would find the name taken, and take that for another deploy's work."""
    rows(postgresql_url, "CREATE TABLE busy (id INTEGER)")
    chaining(postgresql_url, tmp_path, "migrator.sql('LOCK TABLE busy NOWAIT')")
    with in_the_way(postgresql_url, "busy"), pytest.raises(MigrationFailed, match="some of it may stand"):
        runner.deploy(target(postgresql_url, tmp_path))
    assert applied(postgresql_url) == []


def test_what_is_killed_after_a_commit_of_its_own_waits_for_a_person(database_url: DatabaseUrl, tmp_path: Path) -> None:
    killed = "migrator.run(lambda: os.kill(os.getpid(), 9))"
    chaining(database_url, tmp_path, f"import os\n{killed}")
    words = [sys.executable, "-m", "service.migrate.cli", "--dir", str(tmp_path), "deploy"]
    assert run(*words, env=environment(database_url)).returncode == -signal.SIGKILL
    assert not gate.check(database_url, tmp_path).is_open
    for _ in range(2):  # also once the journal has nothing that runs
        refused = run(*words, env=environment(database_url))
        assert (refused.returncode, refused.stderr.splitlines()[-1]) == (1, HALF)
    shown = run(*words[:-1], "status", env=environment(database_url))
    assert shown.stdout.splitlines()[2].split()[:3] == ["!", "001_a", "half"]


def half(url: DatabaseUrl, folder: Path) -> None:
    """As after such a kill: of its two tables the first is there."""
    write(folder, "001_a", f"{table('first')}\n{table('second')}")
    runner.deploy(target(url, folder))
    rows(url, "DROP TABLE second")
    rows(url, "UPDATE migratehistory SET duration_ms = -1")


def test_a_half_is_recorded_as_applied_once_it_is_whole(database_url: DatabaseUrl, tmp_path: Path) -> None:
    half(database_url, tmp_path)
    with pytest.raises(Unproven, match="missing: table second"):
        runner.resolve(target(database_url, tmp_path), applied=["001_a"])
    rows(database_url, "CREATE TABLE second (id INTEGER PRIMARY KEY)")
    done = runner.resolve(target(database_url, tmp_path), applied=["001_a"]).done
    assert [event.kind for event in done] == ["recorded"]
    assert runner.deploy(target(database_url, tmp_path)).done == ()
    assert rows(database_url, "SELECT name, origin, duration_ms FROM migratehistory") == [("001_a", "resolve", None)]


def test_or_it_is_undone_by_hand_and_runs_again(database_url: DatabaseUrl, tmp_path: Path) -> None:
    half(database_url, tmp_path)
    rows(database_url, "DROP TABLE first")
    runner.resolve(target(database_url, tmp_path), rolled_back=["001_a"])
    assert [event.migration for event in runner.deploy(target(database_url, tmp_path)).done] == ["001_a"]
    assert {"first", "second"} <= tables(database_url)


def undone_halfway(url: DatabaseUrl, folder: Path, then: str) -> list[str]:
    """Applied is a migration whose rollback drops `second`, commits that, and goes on with `then`; the words that run
    it."""
    ends = CHAINED["sqlite" if url.is_sqlite else "postgresql"]
    chain = f"import os\nfor end in ['{ends}']:\n    migrator.run(database.cursor().execute, end)"
    undo = f'migrator.sql("DROP TABLE second")\n{chain}\n{then}\nmigrator.sql("DROP TABLE first")'
    write(folder, "001_a", f"{table('first')}\n{table('second')}", undo)
    runner.deploy(target(url, folder))
    return [sys.executable, "-m", "service.migrate.cli", "--dir", str(folder)]


def test_a_rollback_that_is_killed_after_a_commit_of_its_own_waits_for_a_person(
    database_url: DatabaseUrl, tmp_path: Path
) -> None:
    words = undone_halfway(database_url, tmp_path, "migrator.run(lambda: os.kill(os.getpid(), 9))")
    killed = run(*words, "rollback", "--yes", env=environment(database_url))
    assert (killed.returncode, tables(database_url) - OURS) == (-signal.SIGKILL, {"first"})
    assert gate.check(database_url, tmp_path) == (False, (), HALF_UNDONE)
    for _ in range(2):  # also once the journal has nothing that runs
        refused = run(*words, "deploy", env=environment(database_url))
        assert (refused.returncode, refused.stderr.splitlines()[-1]) == (1, HALF_UNDONE)
    shown = run(*words, "status", env=environment(database_url))
    assert shown.stdout.splitlines()[2].split()[:3] == ["!", "001_a", "half"]


def test_a_rollback_that_fails_after_a_commit_of_its_own_says_so_and_is_remembered(
    database_url: DatabaseUrl, tmp_path: Path
) -> None:
    words = undone_halfway(database_url, tmp_path, "migrator.sql('DROP TABLE nowhere')")
    failed = run(*words, "rollback", "--yes", env=environment(database_url))
    told = failed.stderr.splitlines()
    assert (failed.returncode, told[-1]) == (2, HALF_UNDONE.partition("gone. ")[2])
    assert "Migration 001_a failed; some of it may be gone." in told
    assert plan_of(database_url, tmp_path) == [HALF_UNDONE]


def test_one_that_is_stopped_there_says_who_knows_more(database_url: DatabaseUrl, tmp_path: Path) -> None:
    words = undone_halfway(database_url, tmp_path, "migrator.run(lambda: os.kill(os.getpid(), 15))")
    stopped = run(*words, "rollback", "--yes", env=environment(database_url))
    assert (stopped.returncode, stopped.stderr.splitlines()[-1]) == (
        143,
        "Stopped by SIGTERM in the rollback of 001_a, which had ended its own transaction: some of it may be gone; see "
        "`migrate status`.",
    )
    assert plan_of(database_url, tmp_path) == [HALF_UNDONE]


@pytest.fixture
def half_undone(database_url: DatabaseUrl, tmp_path: Path) -> Path:
    undone_halfway(database_url, tmp_path, "migrator.sql('DROP TABLE nowhere')")
    with pytest.raises(MigrationFailed, match="some of it may be gone"):
        runner.rollback(target(database_url, tmp_path), confirm=print)
    return tmp_path


def test_what_is_half_undone_is_recorded_as_applied_once_it_is_whole(
    database_url: DatabaseUrl, half_undone: Path
) -> None:
    with pytest.raises(Unproven, match="missing: table second"):
        runner.resolve(target(database_url, half_undone), applied=["001_a"])
    rows(database_url, "CREATE TABLE second (id INTEGER PRIMARY KEY)")
    runner.resolve(target(database_url, half_undone), applied=["001_a"])
    assert runner.deploy(target(database_url, half_undone)).done == ()
    assert gate.check(database_url, half_undone).is_open


def test_or_it_is_undone_to_its_end_and_forgotten(database_url: DatabaseUrl, half_undone: Path) -> None:
    rows(database_url, "DROP TABLE first")
    runner.resolve(target(database_url, half_undone), rolled_back=["001_a"])
    assert runner.deploy(target(database_url, half_undone)).newest == "001_a"
    assert {"first", "second"} <= tables(database_url)


def test_a_later_try_that_leaves_nothing_is_not_told_to_have_left_more(
    database_url: DatabaseUrl, half_undone: Path
) -> None:
    """What it finds marked is the mark of the first."""
    write(half_undone, "001_a", "pass", "migrator.sql('DROP TABLE nowhere')")
    with pytest.raises(Refused, match="001_a was edited after it was applied"):
        runner.rollback(target(database_url, half_undone), confirm=print)
    with pytest.raises(MigrationFailed, match="it was rolled back and nothing of it remains"):
        runner.rollback(target(database_url, half_undone), confirm=print, forced_because="what is gone is gone")
    assert plan_of(database_url, half_undone) == [HALF_UNDONE]


def assert_is_undone(url: DatabaseUrl, folder: Path, outbreak: str, reason: str) -> None:
    write(folder, "001_a", f"{table('first')}\n{outbreak}\n{table('second')}")
    with pytest.raises(MigrationFailed, match=reason) as failure:
        runner.deploy(target(url, folder))
    assert "nothing of it remains" in str(failure.value)
    assert tables(url) == OURS
