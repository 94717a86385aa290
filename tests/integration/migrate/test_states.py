"""Databases that are not as a deploy wishes them to be: each is told in one sentence, with what to do."""

from __future__ import annotations

import re
import resource
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.migrate import runner
from service.migrate.cli import main
from service.migrate.connection import connect
from service.url import ROOT, DatabaseUrl
from tests.support.blockers import InBackground
from tests.support.migrations import applied, rows, table, tables, target, write
from tests.support.postgresql import Server
from tests.support.processes import as_text, environment, eventually


class Said(tuple[int, str, str]):
    code = property(lambda self: self[0])
    out = property(lambda self: self[1])
    err = property(lambda self: self[2])


class Command:
    """`migrate` with a folder, run in this process."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self._folder, self._capsys = folder, capsys

    def __call__(self, url: DatabaseUrl, *words: str) -> Said:
        self._capsys.readouterr()
        code = main(["--database-url", as_text(url), "--dir", str(self._folder), *words])
        return Said((code, *self._capsys.readouterr()))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "migrations"
    write(folder, "001_a", table("a"), 'migrator.sql("DROP TABLE a")')
    return folder


@pytest.fixture
def migrate(folder: Path, capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(folder, capsys)


@pytest.fixture
def guest(postgresql_url: DatabaseUrl) -> Iterator[DatabaseUrl]:
    """The same database for a user who owns nothing in it."""
    name = f"guest_{uuid.uuid4().hex[:8]}"
    rows(postgresql_url, f"CREATE ROLE {name} LOGIN")
    yield postgresql_url._replace(user=name)
    rows(postgresql_url, f"DROP OWNED BY {name} CASCADE; DROP ROLE {name}")


def test_a_user_who_may_make_nothing_is_told_what_to_grant(migrate: Command, guest: DatabaseUrl) -> None:
    said = migrate(guest, "deploy")
    assert (said.code, said.err.count("\n")) == (2, 1)
    assert f"{guest} refuses: permission denied for schema public. Let its owner run `GRANT USAGE, CREATE" in said.err
    assert f"`ALTER DATABASE {guest.name} OWNER TO {guest.user}`.\n" in said.err


def test_and_can_deploy_once_that_is_granted(migrate: Command, guest: DatabaseUrl, postgresql_url: DatabaseUrl) -> None:
    rows(postgresql_url, f"GRANT USAGE, CREATE ON SCHEMA public TO {guest.user}")
    assert migrate(guest, "deploy").code == 0


def test_the_role_that_is_in_force_is_who_lacks_the_rights(
    migrate: Command, guest: DatabaseUrl, postgresql_url: DatabaseUrl
) -> None:
    """As `ALTER ROLE … SET role` has it from the start. What is advised helps."""
    team = f"team_{guest.user}"
    rows(postgresql_url, f"CREATE ROLE {team}; GRANT {team} TO {guest.user}; ALTER ROLE {guest.user} SET role = {team}")
    try:
        said = migrate(guest, "deploy").err
        grant, _, own = said.split("`")[1:4]
        assert (grant, own) == (
            f"GRANT USAGE, CREATE ON SCHEMA public TO {team}",
            f"ALTER DATABASE {guest.name} OWNER TO {team}",
        )
        rows(postgresql_url, grant)
        assert migrate(guest, "deploy").code == 0
    finally:
        rows(postgresql_url, f"DROP OWNED BY {team} CASCADE; DROP ROLE {team}")


@pytest.mark.parametrize("table", ["migratehistory", "migratejournal"])
def test_policies_on_the_runners_own_tables_are_told_and_lifted(
    migrate: Command, guest: DatabaseUrl, postgresql_url: DatabaseUrl, folder: Path, table: str
) -> None:
    """As where a hosted database has them on each table from the start."""
    rows(postgresql_url, f"GRANT USAGE, CREATE ON SCHEMA public TO {guest.user}")
    assert migrate(guest, "deploy").code == 0
    rows(guest, f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY; ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
    (folder / "009_more.sql").write_text("CREATE TABLE more (id INTEGER)")
    said = migrate(guest, "deploy")
    assert (said.code, said.err.splitlines()[-1]) == (
        2,
        f"Policies of its rows keep the runner out: `ALTER TABLE {table} DISABLE ROW LEVEL SECURITY`.",
    )
    rows(guest, said.err.splitlines()[-1].split("`")[1])
    assert migrate(guest, "deploy").code == 0


def test_a_table_of_another_user_is_a_matter_of_rights_and_not_of_the_file(
    migrate: Command, guest: DatabaseUrl, postgresql_url: DatabaseUrl, folder: Path
) -> None:
    rows(postgresql_url, f"CREATE TABLE b (id INTEGER); GRANT USAGE, CREATE ON SCHEMA public TO {guest.user}")
    write(folder, "002_b", 'migrator.sql("ALTER TABLE b ADD x INTEGER")')
    said = migrate(guest, "deploy")
    assert "reason: must be owner of table b\nAnother user owns it" in said.err
    assert "Correct 002_b.py" not in said.err


def test_who_may_only_read_can_still_see_that_all_is_well(
    migrate: Command, guest: DatabaseUrl, postgresql_url: DatabaseUrl
) -> None:
    migrate(postgresql_url, "deploy")
    said = migrate(guest, "status")
    assert (said.code, "GRANT SELECT ON migratehistory, migratejournal" in said.err) == (2, True)
    rows(postgresql_url, f"GRANT SELECT ON migratehistory, migratejournal TO {guest.user}")
    for words in (["deploy"], ["status"], ["journal"], ["wait", "--timeout", "1"]):
        assert migrate(guest, *words).code == 0, words


@pytest.mark.parametrize("words", [["deploy"], ["resolve", "--applied", "001_a"], ["verify", "--skip-models"]])
def test_a_database_that_is_read_only_is_told_from_one_that_refuses(
    migrate: Command, postgresql_url: DatabaseUrl, words: list[str]
) -> None:
    rows(postgresql_url, f"ALTER DATABASE {postgresql_url.name} SET default_transaction_read_only = on")
    said = migrate(postgresql_url, *words)
    assert (said.code, "name the primary in DATABASE_URL" in said.err) == (2, True)
    assert migrate(postgresql_url, "status").code == 1


def test_a_limit_of_the_server_is_told_with_the_option_that_lifts_it(
    migrate: Command, postgresql_url: DatabaseUrl, folder: Path
) -> None:
    write(folder, "002_slow", 'migrator.sql("SELECT pg_sleep(1.5)")')
    rows(postgresql_url, f"ALTER DATABASE {postgresql_url.name} SET statement_timeout = '1s'")
    said = migrate(postgresql_url, "deploy")
    assert "reason: canceling statement due to statement timeout\nThe limit is the server's" in said.err
    assert migrate(postgresql_url, "deploy", "--statement-timeout", "30").code == 0


@pytest.mark.parametrize("path", ["nowhere", "''"])
@pytest.mark.parametrize(
    "words", [["status"], ["deploy"], ["wait", "--timeout", "0"], ["verify"], ["resolve", "--detect"]]
)
def test_a_search_path_that_leads_nowhere_is_told_and_is_no_empty_database(
    migrate: Command, postgresql_url: DatabaseUrl, path: str, words: list[str]
) -> None:
    migrate(postgresql_url, "deploy")
    rows(postgresql_url, f"ALTER DATABASE {postgresql_url.name} SET search_path = {path}")
    said = migrate(postgresql_url, *words)
    assert (said.code, said.err) == (
        1,
        "The search_path of this user names no schema that is there and open to it: `ALTER ROLE postgres RESET "
        "search_path`, or `GRANT USAGE ON SCHEMA … TO …`.\n",
    )


def test_no_room_for_the_connection_of_the_lock(
    migrate: Command, guest: DatabaseUrl, postgresql_url: DatabaseUrl
) -> None:
    rows(postgresql_url, f"ALTER ROLE {guest.user} CONNECTION LIMIT 1")
    said = migrate(guest, "deploy")
    assert f'too many connections for role "{guest.user}". A deploy needs three: end some (`SELECT' in said.err
    # A session lasts a moment longer at the server than at its client, and counts as long.
    sessions = f"SELECT 1 FROM pg_stat_activity WHERE usename = '{guest.user}'"
    eventually(lambda: not rows(postgresql_url, sessions))
    assert migrate(guest, "status").code == 1, "one is enough to look"


def test_a_session_that_the_server_ended_is_the_reason_and_not_what_came_of_it(
    migrate: Command, postgresql_url: DatabaseUrl, folder: Path
) -> None:
    write(folder, "002_ended", 'migrator.sql("SELECT pg_terminate_backend(pg_backend_pid())")')
    said = migrate(postgresql_url, "deploy")
    assert re.search("reason: (terminating connection due to|server closed the connection)", said.err)
    assert "The connection to the database was lost: deploy again" in said.err
    assert applied(postgresql_url) == ["001_a"]
    (attempt,) = rows(postgresql_url, "SELECT state, error FROM migratejournal WHERE migration = '002_ended'")
    assert attempt[0] == "failed", "written down over another connection"
    assert re.match("OperationalError: (terminating connection due to|server closed)", attempt[1])


@pytest.mark.parametrize("top", ["", "atomic = False"], ids=["in a transaction", "in steps"])
def test_a_migration_may_compute_for_longer_than_a_session_may_be_idle(
    migrate: Command, postgresql_url: DatabaseUrl, folder: Path, top: str
) -> None:
    compute = "import time\nmigrator.run(time.sleep, 0.6)\nmigrator.sql('SELECT 1')"
    write(folder, "002_idle", compute, top=top)
    rows(postgresql_url, f"ALTER DATABASE {postgresql_url.name} SET idle_in_transaction_session_timeout = '200ms'")
    assert migrate(postgresql_url, "deploy").code == 0


def test_and_so_it_may_where_it_is_only_tried(migrate: Command, postgresql_url: DatabaseUrl, folder: Path) -> None:
    write(folder, "001_a", "import time\ntime.sleep(0.4)\nmigrator.sql('CREATE TABLE a (id INT)')")
    rows(postgresql_url, f"ALTER DATABASE {postgresql_url.name} SET idle_in_transaction_session_timeout = '200ms'")
    assert [migrate(postgresql_url, *words).code for words in (["deploy"], ["verify", "--skip-models"])] == [0, 0]


@pytest.mark.parametrize(
    ("owner", "column"), [("migratehistory", "name"), ("migratehistory", "migrated_at"), ("migratejournal", "host")]
)
@pytest.mark.parametrize("word", ["deploy", "status", "journal", "wait"])
def test_a_column_of_ours_that_has_another_name_is_no_empty_history(
    migrate: Command, database_url: DatabaseUrl, folder: Path, owner: str, column: str, word: str
) -> None:
    migrate(database_url, "deploy")
    write(folder, "002_b", table("b"))
    rows(database_url, f"ALTER TABLE {owner} RENAME COLUMN {column} TO other")
    expected = (
        f"The table {owner} has no column {column}: it is another tool's, or the column has a new name. Give it that "
        f"again with `ALTER TABLE {owner} RENAME COLUMN … TO {column}`, or name another database.\n"
    )
    assert migrate(database_url, word)[::2] == (1, expected)
    assert "b" not in tables(database_url)


def test_a_database_that_is_closed_is_waited_for_and_told_once_in_a_while(
    postgresql_url: DatabaseUrl, postgresql_server: Server, folder: Path
) -> None:
    maintenance = connect(postgresql_server.url())
    maintenance.execute(f"ALTER DATABASE {postgresql_url.name} ALLOW_CONNECTIONS false")
    deploy = InBackground(runner.deploy, target(postgresql_url, folder, database_wait=60))
    eventually(lambda: deploy.has_told("connecting"))
    maintenance.execute(f"ALTER DATABASE {postgresql_url.name} ALLOW_CONNECTIONS true")
    maintenance.close()
    (wait,) = deploy.outcome().waits
    assert wait.whom[0].endswith("is not currently accepting connections")
    assert [event.kind for event in deploy.told] == ["connecting", "waited", "starting", "applied"]


FULL = """
migrator.sql("PRAGMA max_page_count = 40")
migrator.sql("CREATE TABLE b (x TEXT)")
migrator.sql("INSERT INTO b SELECT hex(zeroblob(100000))")
"""


def test_a_full_disk_is_the_reason_and_nothing_of_the_migration_remains(
    migrate: Command, sqlite_url: DatabaseUrl, folder: Path
) -> None:
    write(folder, "002_full", FULL)
    said = migrate(sqlite_url, "deploy")
    assert "reason: database or disk is full\nThe disk is full or broken: `df -h` tells" in said.err
    assert tables(sqlite_url) == {"a", "migratehistory", "migratejournal"}
    assert rows(sqlite_url, "SELECT state, error FROM migratejournal ORDER BY id DESC LIMIT 1") == [
        ("failed", "OperationalError: database or disk is full")
    ]


def deployed_where_no_file_grows(url: DatabaseUrl, folder: Path) -> subprocess.CompletedProcess[str]:
    """A file that can't be written to any further: SQLite then ends the transaction by itself."""

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))

    command = [sys.executable, "-m", "service.migrate.cli", "--dir", str(folder), "deploy"]
    return subprocess.run(
        command, cwd=ROOT, env=environment(url), preexec_fn=limit, capture_output=True, text=True, timeout=60
    )


GROW = "CREATE TABLE b AS SELECT hex(zeroblob(1000000)) AS x"


def test_an_end_that_sqlite_makes_of_a_transaction_hides_no_reason(sqlite_url: DatabaseUrl, folder: Path) -> None:
    write(folder, "002_grow", f'migrator.sql("{GROW}")')
    done = deployed_where_no_file_grows(sqlite_url, folder)
    assert (done.returncode, "no transaction is active" in done.stderr) == (2, False)
    assert "The disk is full or broken: `df -h` tells" in done.stderr
    assert applied(sqlite_url) == ["001_a"]


def test_a_migration_that_catches_it_does_not_go_on_without_its_transaction(
    sqlite_url: DatabaseUrl, folder: Path
) -> None:
    body = f"""
    try:
        database.execute_sql("{GROW}")
    except pw.OperationalError:
        pass
    database.execute_sql("CREATE TABLE c (x TEXT)")
    """
    write(folder, "002_grow", body)
    done = deployed_where_no_file_grows(sqlite_url, folder)
    assert "SQLite has rolled the transaction back after an error that the migration caught" in done.stderr
    assert tables(sqlite_url) == {"a", "migratehistory", "migratejournal"}


def test_a_path_that_may_be_mistaken_is_told_by_status(migrate: Command, sqlite_url: DatabaseUrl) -> None:
    assert "There is no such file yet: the first deploy makes it." in migrate(sqlite_url, "status").out
    migrate(sqlite_url, "deploy")
    assert "no such file" not in migrate(sqlite_url, "status").out


def test_status_says_what_became_of_the_last_attempt(migrate: Command, database_url: DatabaseUrl, folder: Path) -> None:
    write(folder, "002_b", "raise ValueError")
    migrate(database_url, "deploy")
    failed = "The deploy of 002_b failed last: `migrate journal 002_b` tells why.\n1 migration to apply"
    assert failed in migrate(database_url, "status").out
    rows(database_url, "UPDATE migratejournal SET state = 'running', pid = 42, host = 'web' WHERE migration = '002_b'")
    running = "The deploy of 002_b is running, or was killed: process 42 on web.\n"
    assert running in migrate(database_url, "status").out
    write(folder, "002_b", table("b"))
    migrate(database_url, "deploy")
    assert "002_b is" not in migrate(database_url, "status").out
