"""Why a deploy took so long: what it waited for is in the journal, in its own output and in the status."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from service.migrate import gate, lock, report, runner
from service.migrate.cli import main
from service.migrate.errors import MigrationFailed
from service.migrate.patience import Patience
from service.migrate.session import Event
from service.migrate.waits import Wait, from_text
from service.url import DatabaseUrl
from tests.support.blockers import InBackground, in_the_way, meanwhile
from tests.support.clock import Clock
from tests.support.migrations import applied, rows, table, target, write
from tests.support.postgresql import Server
from tests.support.processes import HANGS, as_text, eventually

CHANGE = 'migrator.sql("ALTER TABLE a ADD COLUMN x INTEGER")'
UNDO = 'migrator.sql("ALTER TABLE a DROP COLUMN x")'


@pytest.fixture
def folder(database_url: DatabaseUrl, tmp_path: Path) -> Path:
    folder = tmp_path / "migrations"
    write(folder, "001_a", f'{table("a", "n INTEGER")}\nmigrator.sql("INSERT INTO a VALUES (1, 0)")')
    runner.deploy(target(database_url, folder))
    write(folder, "002_change", CHANGE, UNDO)
    return folder


def kept(url: DatabaseUrl, migration: str) -> list[tuple[Wait, ...]]:
    found = rows(url, "SELECT waits FROM migratejournal WHERE migration = ? ORDER BY id", [migration])
    return [from_text(text) for (text,) in found]


def times(url: DatabaseUrl, migration: str) -> tuple[Any, ...]:
    return rows(url, "SELECT duration_ms, waited_ms FROM migratehistory WHERE name = ?", [migration])[0]


def waited_meanwhile(url: DatabaseUrl, folder: Path) -> Wait:
    """What the first migration of a deploy waits, when somebody comes into its way."""
    with meanwhile(url) as blocker:
        aim = target(url, folder, patience=Patience(lock_timeout=HANGS), tell=blocker.tell)
        (wait,) = runner.deploy(aim).done[0].waits
    return wait


@pytest.fixture
def _is_quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite's time to begin a transaction counts as a wait for others, also where the machine paused in it."""
    monkeypatch.setattr("service.migrate.connection.time", Clock())


@pytest.mark.usefixtures("_is_quick")
def test_nothing_is_kept_of_a_deploy_that_waited_for_nobody(database_url: DatabaseUrl, folder: Path) -> None:
    outcome = runner.deploy(target(database_url, folder))
    assert outcome.waits == outcome.done[0].waits == ()
    assert rows(database_url, "SELECT DISTINCT waits FROM migratejournal") == [(None,)]
    assert times(database_url, "002_change")[1] is None


@pytest.mark.usefixtures("_is_quick")
def test_the_wait_for_another_deploy_is_kept_with_the_first_attempt_after_it(
    database_url: DatabaseUrl, folder: Path
) -> None:
    write(folder, "003_c", table("c"))
    with lock.deploy_lock(database_url, seconds=1, on_wait=lambda *_: None):
        deploy = InBackground(runner.deploy, target(database_url, folder))
        eventually(lambda: deploy.has_told("waiting"))
        time.sleep(0.2)
    (wait,) = deploy.outcome().waits
    assert (wait.cause, wait.tries) == ("deploy", 0)
    assert 0.1 < wait.seconds < HANGS
    assert "process" in wait.whom[0]
    assert kept(database_url, "002_change") == [(wait,)]
    assert kept(database_url, "003_c") == [()]
    assert times(database_url, "002_change")[1] is None, "it is no part of the time that the migration took"
    assert [event.waits for event in deploy.told if event.kind == "waited"] == [(wait,)]


def test_the_wait_for_a_lock_that_was_given_in_time_is_a_part_of_the_duration(
    database_url: DatabaseUrl, folder: Path
) -> None:
    wait = waited_meanwhile(database_url, folder)
    took, waited = times(database_url, "002_change")
    assert (wait.cause, wait.tries) == ("locks", 0)
    assert 0.1 < wait.seconds <= took / 1000 + 0.01
    assert waited == round(wait.seconds * 1000)
    assert kept(database_url, "002_change") == [(wait,)]
    if not database_url.is_sqlite:  # which does not say who holds it
        assert "(reporting" in wait.whom[0]
    assert "secret" not in str(wait)


def test_a_writer_holds_up_an_sqlite_deploy_before_its_first_migration(sqlite_url: DatabaseUrl, tmp_path: Path) -> None:
    write(tmp_path / "m", "001_a", table("a"))
    runner.deploy(target(sqlite_url, tmp_path / "m"))
    write(tmp_path / "m", "002_b", table("b"))
    told: list[Event] = []
    with meanwhile(sqlite_url) as blocker:
        blocker.begin()
        outcome = runner.deploy(target(sqlite_url, tmp_path / "m", tell=told.append))
    (wait,) = outcome.waits
    assert (wait.cause, wait.whom) == ("locks", ())
    assert told[0] == Event("waited", seconds=wait.seconds, waits=(wait,))
    assert kept(sqlite_url, "002_b") == [(wait,)]
    assert times(sqlite_url, "002_b")[1] is None


def test_a_try_that_gave_way_counts_with_the_pause_after_it(postgresql_url: DatabaseUrl, tmp_path: Path) -> None:
    write(tmp_path / "m", "001_a", table("a"))
    runner.deploy(target(postgresql_url, tmp_path / "m"))
    write(tmp_path / "m", "002_change", CHANGE)
    with in_the_way(postgresql_url):
        deploy = InBackground(runner.deploy, target(postgresql_url, tmp_path / "m", patience=Patience(0.9)))
        eventually(lambda: any("reporting" in event.detail for event in deploy.told if event.kind == "blocked"))
    (wait,) = deploy.outcome().done[0].waits
    assert wait.tries >= 1
    assert wait.seconds >= 0.9 + 0.5
    assert "reporting" in wait.whom[0]
    assert times(postgresql_url, "002_change")[1] == pytest.approx(wait.seconds * 1000, abs=1)


def test_between_two_tries_the_journal_knows_already_for_whom_it_waits(
    postgresql_url: DatabaseUrl, tmp_path: Path
) -> None:
    """So that it says why a deploy stood still also where somebody lost patience and killed it."""
    write(tmp_path / "m", "001_a", table("a"))
    runner.deploy(target(postgresql_url, tmp_path / "m"))
    write(tmp_path / "m", "002_change", CHANGE)
    seen: list[tuple[Any, ...]] = []

    def look(event: Event) -> None:
        if event.kind == "blocked":
            seen.append(*rows(postgresql_url, "SELECT state, waits FROM migratejournal ORDER BY id DESC LIMIT 1"))

    patience = Patience(lock_timeout=0.6, attempts=3)
    with in_the_way(postgresql_url), pytest.raises(MigrationFailed):
        runner.deploy(target(postgresql_url, tmp_path / "m", patience=patience, tell=look))
    assert seen[0] == ("running", None)
    assert seen[1][0] == "running"
    assert from_text(seen[1][1])[0].tries == 1
    ((wait,),) = kept(postgresql_url, "002_change")
    assert wait.tries == 3, "a failure keeps them too"


def test_a_batch_that_waited_for_somebody_is_told_with_its_migration(database_url: DatabaseUrl, folder: Path) -> None:
    (folder / "002_change.py").unlink()
    body = """
    class A(pw.Model):
        n = pw.IntegerField()
        class Meta:
            table_name = "a"
    A._meta.set_database(database)
    migrator.backfill(A, {"n": 1})
    """
    write(folder, "002_fill", body, top="atomic = False")
    wait = waited_meanwhile(database_url, folder)
    assert wait.seconds > 0.1
    assert kept(database_url, "002_fill") == [(wait,)]


def test_a_rollback_keeps_its_waits_too(database_url: DatabaseUrl, folder: Path) -> None:
    aim = target(database_url, folder, patience=Patience(lock_timeout=HANGS))
    runner.deploy(aim)
    with meanwhile(database_url) as blocker:
        (wait,) = runner.rollback(aim, confirm=lambda _names: blocker.begin()).done[0].waits
    assert wait.seconds > 0.1
    assert kept(database_url, "002_change") == [(), (wait,)]


def test_the_wait_for_a_database_that_starts_is_kept(
    postgresql_url: DatabaseUrl, postgresql_server: Server, tmp_path: Path
) -> None:
    write(tmp_path / "m", "001_a", table("a"))
    postgresql_server.stop()
    deploy = InBackground(runner.deploy, target(postgresql_url, tmp_path / "m", database_wait=HANGS))
    eventually(lambda: deploy.has_told("connecting"))
    postgresql_server.start()
    (wait,) = deploy.outcome().waits
    assert wait.cause == "database"
    assert wait.seconds > 1
    assert kept(postgresql_url, "001_a") == [(wait,)]


OLD = ("ALTER TABLE migratejournal DROP COLUMN waits", "ALTER TABLE migratehistory DROP COLUMN waited_ms")


def test_a_database_that_an_older_release_made_works_through_every_command(
    database_url: DatabaseUrl, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def migrate(*words: str) -> int:
        return main(["--database-url", as_text(database_url), "--dir", str(folder), *words])

    runner.deploy(target(database_url, folder))
    for statement in OLD:
        rows(database_url, statement)
    for words in (["status"], ["status", "--json"], ["journal"], ["wait"], ["verify", "--skip-models"], ["deploy"]):
        assert migrate(*words) == 0, words
    assert gate.check(database_url, folder).is_open
    assert [each.waits for each in report.read(database_url, folder).attempts] == [(), ()]
    assert "is up to date" in capsys.readouterr().out
    assert migrate("rollback", "--yes") == 0
    for statement in OLD:
        rows(database_url, statement)
    write(folder, "003_c", table("c"))
    assert migrate("deploy") == 0
    assert applied(database_url) == ["001_a", "002_change", "003_c"]
    assert times(database_url, "003_c")[1] is None
    assert kept(database_url, "003_c") == [()]


def test_what_an_older_release_writes_is_read_as_it_is(database_url: DatabaseUrl, folder: Path) -> None:
    columns = "action, migration, step, steps, state, started, finished, host, pid"
    values = "'deploy', '002_change', 0, 0, 'done', '2026-01-01 10:00:00', '2026-01-01 10:00:09', 'web', 1"
    rows(database_url, f"INSERT INTO migratejournal ({columns}) VALUES ({values})")
    rows(database_url, "INSERT INTO migratehistory (name, migrated_at) VALUES ('002_change', '2026-01-01 10:00:09')")
    found = report.read(database_url, folder)
    assert (found.attempts[0].seconds, found.attempts[0].waits) == (9.0, ())
    assert found.entries[1].waited_ms is None


def test_status_and_journal_say_what_was_waited_for(
    database_url: DatabaseUrl, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def said(*words: str) -> str:
        assert main(["--database-url", as_text(database_url), "--dir", str(folder), *words]) == 0
        return capsys.readouterr().out

    seconds = waited_meanwhile(database_url, folder).seconds
    waited = f"{seconds:.1f} s" if seconds >= 1 else f"{seconds * 1000:.0f} ms"
    assert f"waited {waited} of it" in said("status")
    assert json.loads(said("status", "--json"))["migrations"][1]["waited_ms"] == pytest.approx(seconds * 1000, abs=1)
    journal = said("journal").splitlines()
    assert journal[0] == f"{database_url}, the latest first, times in UTC"
    assert journal[2].split()[2:5] == ["deploy", "002_change", "done"]
    assert journal[3].startswith(f"    Waited {seconds:.1f} s for ")
    assert journal[4].split()[3] == "001_a"
    assert "001_a" not in said("journal", "002_change")
    (attempt,) = json.loads(said("journal", "--json", "--limit", "1"))["attempts"]
    assert attempt["waits"][0] | {"whom": []} == {"cause": "locks", "seconds": seconds, "whom": [], "tries": 0}


def test_a_failure_stands_in_the_journal_with_its_reason(
    sqlite_url: DatabaseUrl, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def journal(*words: str) -> tuple[int, str]:
        code = main(["--database-url", as_text(sqlite_url), "--dir", str(tmp_path / "m"), "journal", *words])
        return code, "".join(capsys.readouterr())

    write(tmp_path / "m", "001_a", "raise ValueError('no such thing')")
    assert "Nothing was tried here yet." in journal()[1]
    with pytest.raises(MigrationFailed):
        runner.deploy(target(sqlite_url, tmp_path / "m", release="v7"))
    assert "failed" in journal()[1]
    assert ", release v7\n    ValueError: no such thing" in journal("001_a")[1]
    assert journal("001_b") == (1, "There is no migration 001_b; did you mean 001_a?\n")
