"""Deploys through PgBouncer in transaction mode, where the server session changes with every transaction, and deploys
whose lock is taken from them."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from service.migrate import runner
from service.migrate.connection import Connection, connect
from service.migrate.errors import MigrationFailed
from service.migrate.patience import Patience
from service.url import DatabaseUrl
from tests.support.migrations import applied, rows, table, target, write
from tests.support.pgbouncer import pgbouncer
from tests.support.processes import HANGS, environment, eventually

COUNT = 'migrator.sql("UPDATE counts SET n = n + 1")'
HOLDER = "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted AND database = (SELECT oid FROM pg_database"
HOLDER += " WHERE datname = current_database())"
# Whoever is stopped by the other one says so.
STOPPED = "has taken this migration over|connection to the database was lost"
STEPS = f"""
{COUNT}
migrator.sql("CREATE INDEX CONCURRENTLY counts_n ON counts (n)")
{COUNT}
migrator.run(lambda: database.execute_sql("UPDATE counts SET n = n + 1"))
"""


@pytest.fixture
def pooled_url(postgresql_url: DatabaseUrl) -> Iterator[DatabaseUrl]:
    with pgbouncer(postgresql_url) as url:
        yield url


@pytest.fixture(params=["direct", "pooled"])
def any_url(request: pytest.FixtureRequest, postgresql_url: DatabaseUrl) -> DatabaseUrl:
    """The database without and with a pooler between."""
    return postgresql_url if request.param == "direct" else request.getfixturevalue("pooled_url")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Five migrations, whose effects can be counted: 1 + 1 + 3 + 1."""
    folder = tmp_path / "migrations"
    write(folder, "001_counts", f'{table("counts", "n INTEGER")}\nmigrator.sql("INSERT INTO counts VALUES (1, 0)")')
    write(folder, "002_count", COUNT)
    write(folder, "003_count", COUNT)
    write(folder, "004_steps", STEPS, top="atomic = False")
    write(folder, "005_count", COUNT)
    return folder


def migrate(url: DatabaseUrl, folder: Path, *words: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "service.migrate.cli", "--dir", str(folder), "deploy", *words]
    return subprocess.Popen(command, env=environment(url), text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def ended(deploy: subprocess.Popen[str]) -> str:
    return deploy.communicate(timeout=HANGS)[0]


@contextmanager
def held_row(url: DatabaseUrl) -> Iterator[None]:
    """Another session works on the row that the migrations count in."""
    session: Connection = connect(url, application="reporting")
    session.execute("BEGIN")
    session.execute("UPDATE counts SET n = n")
    try:
        yield
    finally:
        session.close()


def waits_for_row(url: DatabaseUrl) -> None:
    waiting = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'UPDATE counts%%'"
    eventually(lambda: bool(rows(url, waiting.replace("%%", "%"))))


def assert_each_once(url: DatabaseUrl) -> None:
    assert applied(url) == ["001_counts", "002_count", "003_count", "004_steps", "005_count"]
    assert rows(url, "SELECT n FROM counts") == [(6,)]
    assert rows(url, "SELECT indisvalid FROM pg_index WHERE indexrelid = 'counts_n'::regclass") == [(True,)]
    assert rows(url, HOLDER) == []


def test_eight_deploys_at_once_through_a_pooler_apply_each_migration_once(
    pooled_url: DatabaseUrl, postgresql_url: DatabaseUrl, folder: Path
) -> None:
    deploys = [migrate(pooled_url, folder) for _ in range(8)]
    outputs = [ended(deploy) for deploy in deploys]
    assert [deploy.returncode for deploy in deploys] == [0] * 8, outputs
    assert_each_once(postgresql_url)


def test_a_deploy_killed_behind_a_pooler_leaves_no_lock(
    pooled_url: DatabaseUrl, postgresql_url: DatabaseUrl, folder: Path
) -> None:
    runner.deploy(target(postgresql_url, folder), only=1)
    with held_row(postgresql_url):
        deploy = migrate(pooled_url, folder, "--lock-timeout", "0")
        waits_for_row(postgresql_url)
        deploy.kill()
        ended(deploy)
        eventually(lambda: rows(postgresql_url, HOLDER) == [])
    runner.deploy(target(pooled_url, folder, lock_wait=HANGS))
    assert_each_once(postgresql_url)


@pytest.mark.parametrize("before", [1, 3], ids=["in a transaction", "in steps"])
def test_a_deploy_whose_lock_is_lost_does_nothing_twice(
    any_url: DatabaseUrl, postgresql_url: DatabaseUrl, folder: Path, before: int
) -> None:
    """The session that holds the lock dies while a migration runs; another deploy gets the lock."""
    runner.deploy(target(postgresql_url, folder), only=before)
    with held_row(postgresql_url):
        first = migrate(any_url, folder, "--lock-timeout", "0")
        waits_for_row(postgresql_url)
        rows(postgresql_url, f"SELECT pg_terminate_backend(pid) FROM ({HOLDER}) AS holder")
        eventually(lambda: rows(postgresql_url, HOLDER) == [])
        second = migrate(any_url, folder)
        eventually(lambda: len(rows(postgresql_url, HOLDER)) == 1)
        time.sleep(0.3)
    outputs = [ended(first), ended(second)]
    stopped = [deploy.returncode for deploy in (first, second) if deploy.returncode]
    assert len(stopped) <= 1, outputs
    assert len([output for output in outputs if re.search(STOPPED, output)]) == len(stopped), outputs
    assert_each_once(postgresql_url)


def test_nothing_that_is_set_for_a_deploy_reaches_other_clients_of_the_pooler(
    pooled_url: DatabaseUrl, folder: Path
) -> None:
    runner.deploy(target(pooled_url, folder, patience=Patience(lock_timeout=2.5, statement_timeout=45)))
    clients = [connect(pooled_url) for _ in range(4)]
    for client in clients:
        client.execute("BEGIN")  # each holds a server session of the pool
        found = client.execute("SELECT current_setting('lock_timeout'), current_setting('statement_timeout')")
        assert found.fetchone() == ("0", "0")
    for client in clients:
        client.close()


def test_who_blocks_is_named_through_a_pooler_too(
    pooled_url: DatabaseUrl, postgresql_url: DatabaseUrl, folder: Path
) -> None:
    runner.deploy(target(postgresql_url, folder), only=1)
    patience = Patience(lock_timeout=0.9, attempts=3)
    with held_row(postgresql_url), pytest.raises(MigrationFailed, match=r"Blocked by server process .*reporting"):
        runner.deploy(target(pooled_url, folder, patience=patience))
