"""Several deploys at once: real processes, one database, each migration once."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psycopg2
import pytest

from service.migrate import heal, lock, runner
from service.migrate.connection import HOST, Connection, connect
from service.migrate.errors import LockUnavailable, Refused
from service.migrate.history import History
from service.migrate.patience import Patience
from service.migrate.session import Event
from service.url import DatabaseUrl
from tests.support.blockers import InBackground
from tests.support.migrations import applied, rows, table, target, write
from tests.support.processes import HANGS, environment, eventually

HOLD = """
import sys, time
from service.migrate.lock import deploy_lock
from service.url import parse
with deploy_lock(parse(sys.argv[1]), seconds=60, on_wait=print):
    print("held", flush=True)
    time.sleep(600)
"""


def migrate(url: DatabaseUrl, folder: Path, *words: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "service.migrate.cli", "--dir", str(folder), "deploy", *words]
    return subprocess.Popen(command, env=environment(url), text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def holder(url: DatabaseUrl) -> subprocess.Popen[str]:
    env = environment(url)
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, env["DATABASE_URL"]], env=env, text=True, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "migrations"
    write(folder, "001_counts", table("counts", "n INTEGER"))
    for number in range(2, 6):
        write(folder, f"00{number}_count", f'migrator.sql("INSERT INTO counts (id, n) VALUES ({number}, {number})")')
    return folder


def test_eight_deploys_at_once_apply_each_migration_once(database_url: DatabaseUrl, folder: Path) -> None:
    deploys = [migrate(database_url, folder) for _ in range(8)]
    outputs = [deploy.communicate(timeout=HANGS)[0] for deploy in deploys]
    assert [deploy.returncode for deploy in deploys] == [0] * 8, outputs
    assert len(applied(database_url)) == 5
    assert rows(database_url, "SELECT count(*), sum(n) FROM counts") == [(4, 14)]
    assert sum("001_counts" in output and "ms" in output for output in outputs) == 1


def test_who_waits_says_for_whom_and_gives_up_in_time(database_url: DatabaseUrl, folder: Path) -> None:
    process = holder(database_url)
    try:
        told: list[Event] = []
        with pytest.raises(LockUnavailable, match=r"still holds the migration lock after \d+ s"):
            runner.deploy(target(database_url, folder, lock_wait=0.6, tell=told.append))
        assert told[0].kind == "waiting"
        assert (str(process.pid) in told[0].detail) or ("slipway-migrate-lock" in told[0].detail)
    finally:
        process.kill()
        process.communicate()


def test_who_has_the_lock_is_told_to_whoever_asks(database_url: DatabaseUrl, tmp_path: Path) -> None:
    """Asking takes nothing and makes nothing."""
    database = connect(database_url)
    assert lock.holder(database) == ""
    assert [path.name for path in tmp_path.iterdir() if "lock" in path.name] == []
    with lock.deploy_lock(database_url, seconds=0, on_wait=print):
        assert f"{os.getpid()}" in lock.holder(database)
    assert eventually(lambda: lock.holder(database) == "")
    with lock.deploy_lock(database_url, seconds=0, on_wait=print):
        pass
    database.close()


def test_whoever_has_it_without_a_name_yet_has_just_started(sqlite_url: DatabaseUrl) -> None:
    database = connect(sqlite_url)
    with lock.deploy_lock(sqlite_url, seconds=0, on_wait=print):
        Path(f"{sqlite_url.name}.migrate-lock").write_text("")
        assert lock.holder(database) == lock.JUST_STARTED
    database.close()


def test_the_holder_before_had_a_longer_name(sqlite_url: DatabaseUrl) -> None:
    """The file of the lock stays, and what it says is who has it now."""
    Path(f"{sqlite_url.name}.migrate-lock").write_text(f"process {'9' * 30} on another host")
    with (
        lock.deploy_lock(sqlite_url, seconds=0, on_wait=print),
        pytest.raises(LockUnavailable) as refusal,
        lock.deploy_lock(sqlite_url, seconds=0, on_wait=print),
    ):
        pass
    assert refusal.value.holder == f"process {os.getpid()} on {HOST}"


def test_who_waits_keeps_no_transaction_open_between_two_tries(postgresql_url: DatabaseUrl, folder: Path) -> None:
    """An index that is built concurrently by the deploy at work would wait for it."""
    resting = (
        "SELECT 1 FROM pg_stat_activity WHERE application_name LIKE 'slipway-migrate-lock %' AND state = 'idle'"
        " AND query = 'ROLLBACK' AND datname = current_database()"
    )
    with lock.deploy_lock(postgresql_url, seconds=1, on_wait=lambda *_: None):
        waiting = InBackground(runner.deploy, target(postgresql_url, folder))
        eventually(lambda: rows(postgresql_url, resting))
    assert len(waiting.outcome().done) == 5


def test_the_lock_of_a_killed_deploy_is_free_at_once(database_url: DatabaseUrl, folder: Path) -> None:
    process = holder(database_url)
    process.kill()
    process.communicate()
    assert len(runner.deploy(target(database_url, folder, lock_wait=HANGS)).done) == 5


def test_a_lock_of_another_user_is_told_as_such(
    sqlite_url: DatabaseUrl, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where the first deploy ran as root. Whoever runs these tests may be root too, whom no file refuses."""
    path = Path(f"{sqlite_url.name}.migrate-lock")
    path.touch(mode=0o444)
    if os.access(path, os.W_OK):
        monkeypatch.setattr(Path, "open", refusing)
    with pytest.raises(Refused) as refusal:
        runner.deploy(target(sqlite_url, folder))
    assert str(refusal.value) == (
        f"The file of the lock belongs to another user, who has deployed here before: `ls -l {path}`. Give it to this "
        "one with `chown`, and the database with it."
    )


def refusing(*_arguments: object, **_options: object) -> None:
    raise PermissionError


def test_who_waited_plans_again_and_finds_the_work_done(database_url: DatabaseUrl, folder: Path) -> None:
    process = holder(database_url)
    second = migrate(database_url, folder)
    try:
        assert second.stdout is not None
        eventually(lambda: "Waiting for another deploy" in second.stdout.readline())  # type: ignore[union-attr]
        process.kill()
        output, _ = second.communicate(timeout=HANGS)
        assert second.returncode == 0, output
    finally:
        process.kill()
        process.communicate()
    assert len(applied(database_url)) == 5


def test_a_no_op_does_not_ask_for_the_lock(database_url: DatabaseUrl, folder: Path) -> None:
    runner.deploy(target(database_url, folder))
    process = holder(database_url)
    try:
        assert runner.deploy(target(database_url, folder, lock_wait=0)).done == ()
    finally:
        process.kill()
        process.communicate()


def test_without_any_lock_the_unique_name_still_lets_only_one_commit(
    database_url: DatabaseUrl, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another runner commits the first migration after we planned it, as if the lock had been lost."""
    rival = connect(database_url)
    history = History(rival)
    original = History.adopt

    def adopt_and_be_overtaken(self: History, checksums: list[tuple[str, str]]) -> None:
        original(self, checksums)
        rival.execute("CREATE TABLE counts (id INTEGER PRIMARY KEY, n INTEGER)")
        assert history.record("001_counts", None, "deploy")

    monkeypatch.setattr(History, "adopt", adopt_and_be_overtaken)
    outcome = runner.deploy(target(database_url, folder))
    rival.close()
    assert [event.kind for event in outcome.done] == ["unchanged", "applied", "applied", "applied", "applied"]
    assert len(applied(database_url)) == 5


def test_a_claim_that_waits_for_another_one_gives_up_and_is_made_again(
    postgresql_url: DatabaseUrl, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The claim is sent together with its BEGIN: a try that fails there must leave no transaction open."""
    rival = connect(postgresql_url)
    original, blocked = History.adopt, []

    def adopt_and_be_blocked(self: History, checksums: list[tuple[str, str]]) -> None:
        original(self, checksums)
        rival.execute("BEGIN")
        assert History(rival).record("001_counts", None, "deploy")

    def tell(event: Event) -> None:
        if event.kind == "blocked":
            blocked.append(event.detail)
            rival.execute("ROLLBACK")

    monkeypatch.setattr(History, "adopt", adopt_and_be_blocked)
    patience = Patience(lock_timeout=0.2, attempts=3)
    runner.deploy(target(postgresql_url, folder, patience=patience, tell=tell))
    rival.close()
    assert len(blocked) == 1
    assert blocked[0].startswith("attempt 2 of 3 follows")
    assert len(applied(postgresql_url)) == 5


def named(url: DatabaseUrl, process: int) -> Connection:
    """A session of a deploy on this host, without work: the last statement may still be on its way to it."""
    session = connect(url)
    session.execute("SELECT set_config('application_name', ?, false)", [f"{heal.APPLICATION} {HOST}/{process}"])
    return session


def test_the_session_of_a_dead_deploy_is_ended_before_its_last_statement_arrives(
    postgresql_url: DatabaseUrl, folder: Path
) -> None:
    dead, alive = subprocess.Popen(["true"]), subprocess.Popen(["sleep", "600"])
    dead.wait()
    sessions = [named(postgresql_url, process.pid) for process in (dead, alive)]
    try:
        runner.deploy(target(postgresql_url, folder))
        with pytest.raises(psycopg2.OperationalError, match=r"terminating|closed the connection"):
            sessions[0].execute("DROP TABLE counts")
        assert sessions[1].execute("SELECT 1").fetchone() == (1,)
    finally:
        alive.kill()
        alive.wait()


def test_the_lock_holds_while_an_index_is_built_concurrently(postgresql_url: DatabaseUrl) -> None:
    """A waiter that blocked on the lock would deadlock with CREATE INDEX CONCURRENTLY; one that polls does not."""
    rows(postgresql_url, "CREATE TABLE a (x INTEGER)")
    with lock.deploy_lock(postgresql_url, seconds=1, on_wait=lambda *_: None):
        waiter = holder_that_waits(postgresql_url)
        rows(postgresql_url, "CREATE INDEX CONCURRENTLY a_x ON a (x)")
        waiter.kill()
        waiter.communicate()


@pytest.mark.parametrize("isolation", ["repeatable read", "serializable"])
def test_and_does_so_where_transactions_keep_a_snapshot(
    postgresql_url: DatabaseUrl, tmp_path: Path, isolation: str
) -> None:
    """CONCURRENTLY waits for every snapshot that is older, and so it did for that of its own deploy."""
    rows(postgresql_url, f"ALTER DATABASE {postgresql_url.name} SET default_transaction_isolation = '{isolation}'")
    (tmp_path / "001_a.sql").write_text(
        "-- atomic: false\nCREATE TABLE a (x INT); CREATE INDEX CONCURRENTLY i ON a (x)"
    )
    patience = Patience(statement_timeout=5)
    assert runner.deploy(target(postgresql_url, tmp_path, patience=patience)).newest == "001_a"


def test_who_waits_is_not_taken_for_a_session_that_was_forgotten(postgresql_url: DatabaseUrl, folder: Path) -> None:
    rows(postgresql_url, f"ALTER DATABASE {postgresql_url.name} SET idle_session_timeout = '1s'")
    longer = (
        "SELECT 1 FROM pg_stat_activity WHERE application_name LIKE 'slipway-migrate-deploy %' AND state = 'idle'"
        " AND clock_timestamp() - state_change > interval '1.1 s' AND datname = current_database()"
    )
    with lock.deploy_lock(postgresql_url, seconds=1, on_wait=lambda *_: None):
        waiting = InBackground(runner.deploy, target(postgresql_url, folder))
        eventually(lambda: rows(postgresql_url, longer))
    assert len(waiting.outcome().done) == 5


def test_the_lock_outlasts_what_a_transaction_may_take(postgresql_url: DatabaseUrl) -> None:
    if not rows(postgresql_url, "SELECT 1 FROM pg_settings WHERE name = 'transaction_timeout'"):
        pytest.skip("transaction_timeout came with PostgreSQL 17")
    rows(postgresql_url, f"ALTER DATABASE {postgresql_url.name} SET transaction_timeout = '300ms'")
    longer = (
        "SELECT 1 FROM pg_stat_activity WHERE application_name LIKE 'slipway-migrate-lock %'"
        " AND clock_timestamp() - xact_start > interval '400 ms' AND datname = current_database()"
    )
    with lock.deploy_lock(postgresql_url, seconds=1, on_wait=lambda *_: None):
        eventually(lambda: rows(postgresql_url, longer))


def holder_that_waits(url: DatabaseUrl) -> subprocess.Popen[str]:
    env = environment(url)
    process = subprocess.Popen(
        [sys.executable, "-u", "-c", HOLD, env["DATABASE_URL"]], env=env, text=True, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    assert "slipway-migrate-lock" in process.stdout.readline()
    return process
