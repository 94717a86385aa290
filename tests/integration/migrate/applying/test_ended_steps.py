"""A step in Python that ends the transaction of its entry in the journal: what became of it, only a person knows."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from service.migrate import files, gate, runner
from service.migrate import tables as tables_of_ours
from service.migrate.applying import claim
from service.migrate.applying.failure import Place
from service.migrate.applying.recorded import SqlDatabase
from service.migrate.connection import connect
from service.migrate.errors import MigrationFailed, Refused, Unclear, Unproven
from service.migrate.history import History
from service.migrate.interrupt import Stop
from service.url import DatabaseUrl
from tests.support.blockers import in_the_way
from tests.support.migrations import applied, rows, table, tables, target, write
from tests.support.processes import environment, run

WAYS_OUT = {
    "deploy": "Complete what is missing and record it with `migrate resolve --applied 001_a`, or undo what is there "
    "and have it run again from its first step with `migrate resolve --rolled-back 001_a` and `migrate deploy`.",
    "rollback": "Undo what is still there and record it with `migrate resolve --rolled-back 001_a`, or restore what "
    "is gone and record that with `migrate resolve --applied 001_a`.",
}
UNCLEAR = (
    "001_a was interrupted in step 2 of 3, which runs outside a transaction, and nothing tells whether it was done. "
    "Step 1 stands. Look at the database. "
)
WORDS = {"deploy": ["deploy"], "rollback": ["rollback", "--yes"]}
MAKE, DROP = (
    [table("first"), table("second")],
    ["migrator.sql('DROP TABLE first')", "migrator.sql('DROP TABLE second')"],
)
KILL, STOP, FAIL = "os.kill(os.getpid(), 9)", "os.kill(os.getpid(), 15)", "cursor.execute('DROP TABLE nowhere')"

both_ways = pytest.mark.parametrize("command", list(WORDS))


def prepared(url: DatabaseUrl, folder: Path, command: str, then: str) -> list[str]:
    """Between two steps in SQL one that commits and goes on in the next transaction with `then`; the words that run
    the migration, or its rollback."""
    ends = ["COMMIT", "BEGIN"] if url.is_sqlite else ["COMMIT AND CHAIN"]
    lines = [f"cursor.execute({end!r})" for end in ends] + [then]
    step = "def step():\n    import os; cursor = database.cursor()\n    " + "\n    ".join(lines)
    ways = {"deploy": MAKE, "rollback": DROP}
    ways[command] = [ways[command][0], f"{step}\nmigrator.run(step)", ways[command][1]]
    write(folder, "001_a", *("\n".join(way) for way in ways.values()), top="atomic = False")
    if command == "rollback":
        runner.deploy(target(url, folder))
    return [sys.executable, "-m", "service.migrate.cli", "--dir", str(folder), *WORDS[command]]


def assert_unclear(url: DatabaseUrl, words: list[str], command: str) -> None:
    of = "The rollback of " if command == "rollback" else ""
    for _ in range(2):
        again = run(*words, env=environment(url))
        assert (again.returncode, again.stderr.splitlines()[-1]) == (1, f"{of}{UNCLEAR}{WAYS_OUT[command]}")


@both_ways
def test_what_was_killed_in_it_is_neither_taken_as_done_nor_done_again(
    database_url: DatabaseUrl, tmp_path: Path, command: str
) -> None:
    words = prepared(database_url, tmp_path, command, KILL)
    assert run(*words, env=environment(database_url)).returncode == -signal.SIGKILL
    assert_unclear(database_url, words, command)
    assert not gate.check(database_url, tmp_path).is_open


@both_ways
def test_what_failed_in_it_leads_to_the_commands_that_help(
    database_url: DatabaseUrl, tmp_path: Path, command: str
) -> None:
    words = prepared(database_url, tmp_path, command, FAIL)
    failed = run(*words, env=environment(database_url))
    told = failed.stderr.splitlines()
    assert (failed.returncode, told[-1]) == (2, f"Look at the database. {WAYS_OUT[command]}")
    left = {"deploy": "stand", "rollback": "be gone"}[command]
    assert f"Migration 001_a failed; some of it may {left}." in told
    assert_unclear(database_url, words, command)


@both_ways
def test_what_was_stopped_in_it_says_where_to_learn_more(
    database_url: DatabaseUrl, tmp_path: Path, command: str
) -> None:
    words = prepared(database_url, tmp_path, command, STOP)
    stopped = run(*words, env=environment(database_url))
    assert stopped.returncode == 143
    assert stopped.stderr.endswith(f"; the next `migrate {command}` says what to do.\n")
    assert_unclear(database_url, words, command)


def test_a_lock_that_it_meets_after_that_is_no_reason_to_do_it_again(
    postgresql_url: DatabaseUrl, tmp_path: Path
) -> None:
    rows(postgresql_url, "CREATE TABLE busy (id INTEGER)")
    prepared(postgresql_url, tmp_path, "deploy", "cursor.execute('LOCK TABLE busy NOWAIT')")
    with in_the_way(postgresql_url, "busy"), pytest.raises(MigrationFailed, match="some of it may stand"):
        runner.deploy(target(postgresql_url, tmp_path))
    with pytest.raises(Unclear):
        runner.deploy(target(postgresql_url, tmp_path))


def test_one_that_fails_within_its_transaction_is_done_again(database_url: DatabaseUrl, tmp_path: Path) -> None:
    """What it had noted was rolled back with it."""
    fail = "migrator.run(lambda: database.execute_sql('DROP TABLE later'))"
    write(tmp_path, "001_a", f"{table('first')}\n{fail}", top="atomic = False")
    with pytest.raises(MigrationFailed, match="steps 1 to 1 of 2 stand, and the next deploy goes on after them"):
        runner.deploy(target(database_url, tmp_path))
    rows(database_url, "CREATE TABLE later (id INTEGER)")
    assert runner.deploy(target(database_url, tmp_path)).newest == "001_a"


def test_one_that_waits_for_a_lock_is_tried_again(postgresql_url: DatabaseUrl, tmp_path: Path) -> None:
    rows(postgresql_url, "CREATE TABLE mark (id INTEGER)")
    once = "lambda: database.execute_sql('SELECT 1') if tries.pop() else database.execute_sql(deadlock)"
    deadlock = "deadlock = \"DO $$ BEGIN RAISE EXCEPTION 'busy' USING ERRCODE = '40P01'; END $$\""
    write(tmp_path, "001_a", f"tries = [True, False]\n{deadlock}\nmigrator.run({once})", top="atomic = False")
    assert runner.deploy(target(postgresql_url, tmp_path)).newest == "001_a"


def test_one_that_ends_it_and_comes_to_its_end_is_done(postgresql_url: DatabaseUrl, tmp_path: Path) -> None:
    prepared(postgresql_url, tmp_path, "deploy", "pass")
    assert runner.deploy(target(postgresql_url, tmp_path)).newest == "001_a"
    assert {"first", "second"} <= tables(postgresql_url)


def test_what_is_half_undone_has_to_be_restored_before_it_is_recorded(
    database_url: DatabaseUrl, tmp_path: Path
) -> None:
    prepared(database_url, tmp_path, "rollback", FAIL)
    with pytest.raises(MigrationFailed):
        runner.rollback(target(database_url, tmp_path), confirm=print)
    with pytest.raises(Unproven, match="missing: table first"):
        runner.resolve(target(database_url, tmp_path), applied=["001_a"])
    with pytest.raises(Refused, match="half undone"):
        runner.deploy(target(database_url, tmp_path))
    rows(database_url, "CREATE TABLE first (id INTEGER PRIMARY KEY)")
    runner.resolve(target(database_url, tmp_path), applied=["001_a"])
    assert (runner.deploy(target(database_url, tmp_path)).done, applied(database_url)) == ((), ["001_a"])


@pytest.mark.parametrize("is_sql", [True, False])
def test_what_a_signal_left_open_is_not_taken_for_what_was_committed(
    database_url: DatabaseUrl, tmp_path: Path, is_sql: bool
) -> None:
    """It may come after a COMMIT that it has itself interrupted, and before the ROLLBACK."""

    @contextmanager
    def begin() -> Iterator[None]:
        connection.execute("BEGIN")
        yield  # what is thrown in here meets no ROLLBACK

    write(tmp_path, "001_a", "migrator.run(print)", top="atomic = False")
    (file,) = files.scan(tmp_path)
    place, connection = Place(file), connect(database_url)
    tables_of_ours.prepare(connection)
    history = History(connection)
    database, sql = SqlDatabase(connection), "SELECT 1" if is_sql else ""
    step = partial(claim.stepped, connection, database, place=place, number=1, begin=begin(), sql=sql)
    with pytest.raises(Stop), history.attempt("deploy", "001_a", in_steps=True) as progress, step(progress):
        raise Stop(signal.SIGINT)
    assert not place.has_ended
    assert not connection.is_in_transaction
    mine = history.claim("001_a", file.checksum, "deploy", breaking=False, down=None)
    claimed = claim.taken_back(connection, history, place, mine)
    with pytest.raises(Stop), claimed, begin():  # noqa: PT012
        connection.execute(*mine)
        raise Stop(signal.SIGINT)
    assert not place.has_ended
    connection.close()
