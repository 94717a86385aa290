"""A deploy waits for the disk once, at its end: what it has said outlasts a power cut, and one in the middle leaves
whole migrations, after which the next deploy goes on."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from service.migrate import runner
from service.url import DatabaseUrl
from tests.support.migrations import applied, rows, table, tables, target, write
from tests.support.postgresql import CRASH, LASTING, OwnServer, connect, create_database, running_server
from tests.support.processes import environment, run

MANY = 12
# The server writes by itself what nobody waits for: here late, and only what the deploy has changed.
ALONE = {"wal_writer_delay": "10s", "autovacuum": "off", "wal_level": "minimal", "max_wal_senders": "0"}
UNWRITTEN = "SELECT pg_current_wal_insert_lsn() - pg_current_wal_flush_lsn()"
NORMAL, FULL = 1, 2


@pytest.fixture(scope="module")
def server() -> Iterator[OwnServer]:
    with contextmanager(running_server)(LASTING | ALONE) as found:
        if not isinstance(found, OwnServer):
            pytest.skip("The tests must not crash the server behind TEST_DATABASE_URL; unset it to run this test.")
        yield found


@pytest.fixture
def url(server: OwnServer) -> DatabaseUrl:
    server.start()
    return create_database(server)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number in range(1, MANY + 1):
        write(tmp_path / "migrations", f"{number:03}_t{number}", table(f"t{number}"))
    return tmp_path / "migrations"


def deployed(url: DatabaseUrl, folder: Path) -> CompletedProcess[str]:
    return run("migrate", "--dir", str(folder), "deploy", "--wait", "0", env=environment(url))


def made(url: DatabaseUrl) -> list[str]:
    """The migrations whose table is there."""
    return sorted(f"{int(name[1:]):03}_{name}" for name in tables(url) if re.fullmatch(r"t\d+", name))


@pytest.mark.parametrize("last", [table(f"t{MANY}"), 'migrator.sql("SELECT 1 / 0")'], ids=["success", "failure"])
def test_what_a_deploy_has_said_outlasts_a_power_cut(
    last: str, url: DatabaseUrl, folder: Path, server: OwnServer
) -> None:
    write(folder, f"{MANY:03}_t{MANY}", last)
    with closing(connect(server.url())) as connection, connection.cursor() as cursor:
        is_done = deployed(url, folder).returncode == 0
        cursor.execute(UNWRITTEN)
        assert cursor.fetchone() == (0,)
    server.crash()
    server.start()
    assert made(url) == applied(url)
    assert len(applied(url)) == (MANY if is_done else MANY - 1)
    attempt = rows(url, "SELECT state FROM migratejournal ORDER BY id DESC LIMIT 1")
    assert attempt == [("done" if is_done else "failed",)]


@pytest.mark.parametrize("at", [1, 2, 7, MANY])
def test_one_in_the_middle_leaves_whole_migrations(at: int, url: DatabaseUrl, folder: Path, server: OwnServer) -> None:
    crash = f"{table(f't{at}')}\nmigrator.run(lambda: os.kill({server.process}, {CRASH:d}))\nmigrator.sql('SELECT 1')"
    path = write(folder, f"{at:03}_t{at}", crash, top="import os")
    assert deployed(url, folder).returncode == 2
    server.crash()
    server.start()
    found = applied(url) if "migratehistory" in tables(url) else []
    assert made(url) == found == [f"{number:03}_t{number}" for number in range(1, len(found) + 1)]
    assert len(found) < at
    write(folder, path.stem, table(f"t{at}"))
    assert deployed(url, folder).returncode == 0
    assert made(url) == applied(url)
    assert len(applied(url)) == MANY


def test_only_the_last_migration_waits(url: DatabaseUrl, tmp_path: Path) -> None:
    """How far the server had written its log when each began."""
    body = 'migrator.sql("INSERT INTO seen VALUES (pg_current_wal_flush_lsn()::text)")'
    write(tmp_path / "m", "001_seen", 'migrator.sql("CREATE TABLE seen (written TEXT)")')
    for number in range(2, MANY):
        write(tmp_path / "m", f"{number:03}_look", body)
    runner.deploy(target(url, tmp_path / "m"))
    (written,) = rows(url, "SELECT count(DISTINCT written) FROM seen")[0]
    assert written <= MANY / 3  # not 1: the server writes by itself too


@pytest.mark.parametrize(
    ("mode", "top", "expected"),
    [
        ("wal", "", [NORMAL, NORMAL, FULL]),
        ("wal", "atomic = False", [NORMAL, FULL, FULL]),  # between those two a signal finds nothing to write
        ("delete", "", [FULL, FULL, FULL]),
    ],
)
def test_sqlite_goes_without_only_where_it_has_a_log_and_something_must_follow(
    mode: str, top: str, expected: list[int], sqlite_url: DatabaseUrl, tmp_path: Path
) -> None:
    rows(sqlite_url, f"PRAGMA journal_mode = {mode}")
    rows(sqlite_url, "CREATE TABLE seen (id INTEGER PRIMARY KEY, awaits INTEGER)")
    look = 'migrator.sql("INSERT INTO seen (awaits) SELECT * FROM pragma_synchronous")'
    for number in range(1, 4):
        write(tmp_path / "m", f"{number:03}_look", look, top=top if number == 3 else "")
    runner.deploy(target(sqlite_url, tmp_path / "m"))
    assert [awaits for (awaits,) in rows(sqlite_url, "SELECT awaits FROM seen ORDER BY id")] == expected
