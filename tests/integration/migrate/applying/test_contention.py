"""Never in the application's way: deploys on a database that is in use."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from service.migrate import cli, runner
from service.migrate import tables as own_tables
from service.migrate.applying import contention
from service.migrate.connection import connect
from service.migrate.errors import MigrationFailed
from service.migrate.patience import Patience
from service.migrate.session import Event
from service.url import DatabaseUrl
from tests.support.blockers import InBackground
from tests.support.migrations import applied, rows, table, tables, target, write
from tests.support.processes import as_text, environment, eventually

CHANGE = 'migrator.sql("ALTER TABLE a ADD COLUMN x INTEGER")'


@contextmanager
def long_reader(url: DatabaseUrl) -> Iterator[None]:
    """A session in the middle of a transaction that has read the table."""
    reader = connect(url, application="reporting")
    reader.execute("BEGIN")
    reader.execute("SELECT count(*), 'a secret word' FROM a")
    try:
        yield
    finally:
        reader.close()


@pytest.fixture
def folder(postgresql_url: DatabaseUrl, tmp_path: Path) -> Path:
    folder = tmp_path / "migrations"
    write(folder, "001_a", table("a"))
    runner.deploy(target(postgresql_url, folder))
    write(folder, "002_change", f"{table('b')}\n{CHANGE}")
    return folder


def test_the_pauses_between_tries_grow(
    postgresql_url: DatabaseUrl, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With jitter, so that two deploys do not stay in step."""
    deadlock = "DO $$ BEGIN RAISE EXCEPTION 'busy' USING ERRCODE = '40P01'; END $$"
    (folder / "003_busy.sql").write_text(deadlock)
    paused: list[float] = []
    monkeypatch.setattr("service.migrate.applying.tries.time.sleep", paused.append)
    with pytest.raises(MigrationFailed, match="busy"):
        runner.deploy(target(postgresql_url, folder, patience=Patience(attempts=4)))
    assert [longest / 2 <= seconds <= longest for seconds, longest in zip(paused, (1, 2, 4), strict=True)] == [True] * 3


@contextmanager
def prepared_lock(url: DatabaseUrl) -> Iterator[str]:
    """A transaction that was prepared and forgotten: no session has it, and it keeps its locks. Gives its name."""
    if rows(url, "SHOW max_prepared_transactions") == [("0",)]:
        pytest.skip("the server behind TEST_DATABASE_URL has max_prepared_transactions = 0")
    name = f"forgotten in {url.name}"
    rows(url, f"BEGIN; LOCK TABLE a; PREPARE TRANSACTION '{name}'")
    try:
        yield name
    finally:
        rows(url, f"ROLLBACK PREPARED '{name}'")


def test_a_prepared_transaction_that_blocks_is_named_too(postgresql_url: DatabaseUrl, folder: Path) -> None:
    told: list[Event] = []
    patience = Patience(lock_timeout=0.9, attempts=3)
    with prepared_lock(postgresql_url) as name, pytest.raises(MigrationFailed):
        runner.deploy(target(postgresql_url, folder, patience=patience, tell=told.append))
    blocked = f"blocked by the transaction {name!r} of pg_prepared_xacts (prepared for "
    assert [event for event in told if event.kind == "blocked" and blocked in event.detail]
    assert runner.deploy(target(postgresql_url, folder)).newest == "002_change"


def test_a_blocked_migration_gives_way_tries_again_and_names_who_blocks(
    postgresql_url: DatabaseUrl, folder: Path
) -> None:
    told: list[Event] = []
    patience = Patience(lock_timeout=0.9, attempts=3)
    with long_reader(postgresql_url), pytest.raises(MigrationFailed) as failure:
        runner.deploy(target(postgresql_url, folder, patience=patience, tell=told.append))
    blocked = [event for event in told if event.kind == "blocked"]
    assert {event.migration for event in blocked} == {"002_change"}
    assert [event.detail[:22] for event in blocked] == ["attempt 2 of 3 follows", "attempt 3 of 3 follows"]
    # A deploy that sleeps through a whole try sees nobody in it.
    named = [event.detail for event in blocked if "follows; blocked by server process" in event.detail]
    assert named
    assert all("reporting" in detail and "idle in transaction" in detail for detail in named)
    assert "secret" not in f"{told} {failure.value}"
    assert "Deploy again when that has ended" in str(failure.value)
    assert applied(postgresql_url) == ["001_a"]
    assert "b" not in tables(postgresql_url)


def test_it_is_applied_once_the_blocker_is_gone(postgresql_url: DatabaseUrl, folder: Path) -> None:
    with long_reader(postgresql_url):
        deploy = InBackground(runner.deploy, target(postgresql_url, folder, patience=Patience(lock_timeout=0.3)))
        eventually(lambda: deploy.has_told("blocked"))
    deploy.outcome()
    assert applied(postgresql_url) == ["001_a", "002_change"]


def test_a_second_client_is_never_held_up_longer_than_the_lock_timeout(
    postgresql_url: DatabaseUrl, folder: Path
) -> None:
    took: list[float] = []
    with long_reader(postgresql_url):
        patience = Patience(lock_timeout=0.5, attempts=3)
        deploy = threading.Thread(
            target=lambda: _swallow(lambda: runner.deploy(target(postgresql_url, folder, patience=patience)))
        )
        deploy.start()
        client = connect(postgresql_url)
        while deploy.is_alive():
            began = time.monotonic()
            client.execute("SELECT count(*) FROM a").fetchone()
            took.append(time.monotonic() - began)
            time.sleep(0.01)
        client.close()
    held_up = [seconds for seconds in took if seconds > 0.1]
    assert held_up, "it did wait behind the migration"
    assert min(held_up) < 0.5 + 1.0, "once at least the machine itself did not pause meanwhile"


def _swallow(work: Callable[[], object]) -> None:
    with suppress(MigrationFailed):
        work()


def test_a_model_that_was_changed_by_the_failed_try_is_as_before_in_the_next(
    postgresql_url: DatabaseUrl, tmp_path: Path
) -> None:
    body = """
    @migrator.create_model
    class A(pw.Model):
        name = pw.CharField(null=True)
        class Meta:
            table_name = "a"
    """
    write(tmp_path / "m", "001_a", body)
    runner.deploy(target(postgresql_url, tmp_path / "m"))
    write(tmp_path / "m", "002_b", 'migrator.remove_fields("a", "name")')
    with long_reader(postgresql_url):
        aim = target(postgresql_url, tmp_path / "m", patience=Patience(lock_timeout=0.3))
        deploy = InBackground(runner.deploy, aim)
        eventually(lambda: deploy.has_told("blocked"))
    deploy.outcome()
    assert applied(postgresql_url) == ["001_a", "002_b"]


def test_a_statement_may_be_given_a_limit(postgresql_url: DatabaseUrl, tmp_path: Path) -> None:
    write(tmp_path / "m", "001_slow", 'migrator.sql("SELECT pg_sleep(30)")')
    with pytest.raises(MigrationFailed, match="statement timeout"):
        runner.deploy(target(postgresql_url, tmp_path / "m", patience=Patience(statement_timeout=0.2)))


_WAITS_FOR_LONGER = """
SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
AND query LIKE 'CREATE INDEX CONCURRENTLY%' AND query_start < clock_timestamp() - interval '0.5 s'
"""


def test_an_index_built_concurrently_waits_for_a_writer_as_long_as_it_takes(
    postgresql_url: DatabaseUrl, folder: Path
) -> None:
    (folder / "002_change.py").unlink()
    write(folder, "002_index", 'migrator.sql("CREATE INDEX CONCURRENTLY a_id ON a (id)")', top="atomic = False")
    with long_reader(postgresql_url):
        rows(postgresql_url, "INSERT INTO a VALUES (1)")
        writer = connect(postgresql_url)
        writer.execute("BEGIN")
        writer.execute("INSERT INTO a VALUES (2)")
        deploy = InBackground(runner.deploy, target(postgresql_url, folder, patience=Patience(lock_timeout=0.2)))
        eventually(lambda: rows(postgresql_url, _WAITS_FOR_LONGER))
        assert not deploy.has_told("blocked")
        writer.execute("COMMIT")
        writer.close()
    deploy.outcome()
    assert rows(postgresql_url, "SELECT indisvalid FROM pg_index WHERE indexrelid = 'a_id'::regclass") == [(True,)]


def test_a_killed_deploys_server_session_is_ended_first(postgresql_url: DatabaseUrl, tmp_path: Path) -> None:
    write(tmp_path / "m", "001_slow", f"{table('a')}\nmigrator.sql('SELECT pg_sleep(600)')")
    command = [sys.executable, "-m", "service.migrate.cli", "--dir", str(tmp_path / "m"), "deploy"]
    process = subprocess.Popen(command, env=environment(postgresql_url), stdout=subprocess.DEVNULL)
    # It must have run for a second to be told from a deploy that only looks.
    sleeping = "SELECT 1 FROM pg_stat_activity WHERE query LIKE '%pg_sleep(600)' AND datname = current_database()"
    eventually(lambda: rows(postgresql_url, f"{sleeping} AND query_start < clock_timestamp() - interval '1.1 s'"))
    process.send_signal(signal.SIGKILL)
    process.wait()
    write(tmp_path / "m", "001_slow", table("a"))
    told: list[Event] = []
    runner.deploy(target(postgresql_url, tmp_path / "m", tell=told.append))
    assert [event.kind for event in told] == ["ended", "starting", "applied"]
    assert "slipway-migrate-deploy" in told[0].detail


@pytest.mark.parametrize("attempt", [2, 3, 8])
def test_pauses_grow_and_stay_within_bounds(attempt: int) -> None:
    longest = min(2.0 ** (attempt - 2), 15.0)
    assert all(longest / 2 <= contention.pause_before(attempt) <= longest for _ in range(50))


def test_what_a_session_runs_is_shown_without_its_literals() -> None:
    shown = contention.describe(7, "", "active", 3.4, "UPDATE m SET t = 'it''s me' WHERE id = 42 AND x = 'open")
    assert shown == "server process 7 (unnamed, active for 3 s: UPDATE m SET t = ? WHERE id = ? AND x = ?)"


@contextmanager
def writing(url: DatabaseUrl, name: str) -> Iterator[None]:
    """Another runner, without our lock, in the middle of recording a migration."""
    other = connect(url, application="another runner")
    other.execute("BEGIN")
    other.execute("INSERT INTO migratehistory (name, migrated_at) VALUES (?, now())", [name])
    try:
        yield
    finally:
        other.close()


def test_a_row_of_the_history_that_is_not_committed_yet_holds_up_nobody(
    postgresql_url: DatabaseUrl, tmp_path: Path
) -> None:
    folder = tmp_path / "migrations"
    write(folder, "001_a", table("a"))
    runner.deploy(target(postgresql_url, folder))
    write(folder, "002_b", table("b"))
    with writing(postgresql_url, "900_theirs"):
        runner.deploy(target(postgresql_url, folder))
    assert applied(postgresql_url) == ["001_a", "002_b"]


def test_a_history_that_has_to_change_first_is_not_waited_for_without_end(
    postgresql_url: DatabaseUrl, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(own_tables, "_LOCK_TIMEOUT", "200ms")
    with closing(connect(postgresql_url)) as database:
        database.execute("CREATE TABLE migratehistory (id SERIAL, name VARCHAR(255), migrated_at TIMESTAMP)")
    write(tmp_path / "migrations", "001_a", table("a"))
    words = ["--database-url", as_text(postgresql_url), "--dir", str(tmp_path / "migrations"), "deploy"]
    with writing(postgresql_url, "000_theirs"):
        assert cli.main(words) == 2
    said = capsys.readouterr().err
    assert "lock timeout" in said
    assert "SELECT pid, application_name, state, query FROM pg_stat_activity" in said
    assert tables(postgresql_url) == {"migratehistory"}


def test_a_commit_that_fails_leaves_no_transaction_behind(sqlite_url: DatabaseUrl) -> None:
    """SQLite leaves it open when somebody reads at that moment, so that the next try could not begin one."""
    reader, writer = connect(sqlite_url), connect(sqlite_url)
    writer.execute("CREATE TABLE a (id INTEGER)")
    writer.execute("INSERT INTO a VALUES (1), (2)")
    writer.execute("PRAGMA busy_timeout = 0")
    reading = reader.execute("SELECT id FROM a")
    reading.fetchone()
    with pytest.raises(sqlite3.OperationalError, match="locked"), writer.transaction():
        writer.execute("INSERT INTO a VALUES (3)")
    reading.close()
    with writer.transaction():
        writer.execute("INSERT INTO a VALUES (4)")
    assert rows(sqlite_url, "SELECT id FROM a") == [(1,), (2,), (4,)]
