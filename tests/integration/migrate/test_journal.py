"""What a deploy writes down: the history of what is applied, the journal of every attempt, and how long each took."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from service.migrate import report, runner
from service.migrate.connection import Connection
from service.migrate.errors import MigrationFailed
from service.migrate.session import Event
from service.url import DatabaseUrl
from tests.support.migrations import rows, table, target, write

ATTEMPTS = "SELECT migration, state, error FROM migratejournal ORDER BY id"


def test_history_and_journal_say_what_happened(database_url: DatabaseUrl, tmp_path: Path) -> None:
    folder = tmp_path / "migrations"
    write(folder, "001_a", table("a"), top="breaking = True")
    runner.deploy(target(database_url, folder, release="v7"))
    (row,) = rows(
        database_url, "SELECT name, length(checksum), duration_ms >= 0, release, origin, breaking FROM migratehistory"
    )
    assert row == ("001_a", 64, True, "v7", "deploy", 1)
    (attempt,) = rows(database_url, "SELECT action, migration, state, error, release FROM migratejournal")
    assert attempt == ("deploy", "001_a", "done", None, "v7")


def test_times_are_utc_whatever_zone_the_session_is_in(postgresql_url: DatabaseUrl, tmp_path: Path) -> None:
    folder = tmp_path / "migrations"
    write(folder, "001_a", table("a"))
    rows(postgresql_url, f"ALTER DATABASE \"{postgresql_url.name}\" SET timezone = 'Pacific/Auckland'")
    runner.deploy(target(postgresql_url, folder))
    drift = "SELECT abs(extract(epoch FROM migrated_at - (now() AT TIME ZONE 'UTC'))) < 60 FROM migratehistory"
    assert rows(postgresql_url, drift) == [(True,)]


def test_the_time_that_is_told_is_the_time_that_is_kept(database_url: DatabaseUrl, tmp_path: Path) -> None:
    write(tmp_path / "migrations", "001_a", "import time; time.sleep(0.01)")
    write(tmp_path / "migrations", "002_b", "import time; time.sleep(0.01)", top="atomic = False")
    done = runner.deploy(target(database_url, tmp_path / "migrations")).done
    kept = [took for (took,) in rows(database_url, "SELECT duration_ms FROM migratehistory ORDER BY id")]
    assert [round(event.seconds * 1000) for event in done] == kept
    assert min(kept) >= 10


def test_each_migration_has_one_attempt_whatever_its_kind(database_url: DatabaseUrl, tmp_path: Path) -> None:
    folder = tmp_path / "migrations"
    for number, name in enumerate("abcd", start=1):
        write(folder, f"00{number}_{name}", table(name), top="atomic = False" if name == "c" else "")
    runner.deploy(target(database_url, folder))
    assert rows(database_url, ATTEMPTS) == [(name, "done", None) for name in ("001_a", "002_b", "003_c", "004_d")]


def test_the_next_attempt_is_written_down_together_with_the_end_of_the_one_before(
    database_url: DatabaseUrl, tmp_path: Path
) -> None:
    """What runs is in the journal before it runs, and that costs no commit of its own."""
    folder = tmp_path / "migrations"
    write(folder, "001_a", table("a"))
    look = "seen = database.execute_sql('SELECT migration, state FROM migratejournal ORDER BY id').fetchall()"
    write(folder, "002_b", f"{look}\nassert seen == [('001_a', 'done'), ('002_b', 'running')], seen")
    assert len(runner.deploy(target(database_url, folder)).done) == 2


def test_an_attempt_that_was_written_down_and_never_made_is_closed_by_the_next_deploy(
    database_url: DatabaseUrl, tmp_path: Path
) -> None:
    def interrupted(event: Event) -> None:
        if event.kind == "applied":
            raise KeyboardInterrupt

    folder = tmp_path / "migrations"
    write(folder, "001_a", table("a"))
    write(folder, "002_b", table("b"))
    with pytest.raises(KeyboardInterrupt):
        runner.deploy(target(database_url, folder, tell=interrupted))
    runner.deploy(target(database_url, folder))
    attempts = rows(database_url, ATTEMPTS)
    assert attempts == [("001_a", "done", None), ("002_b", "failed", "the process was killed"), ("002_b", "done", None)]


@pytest.mark.parametrize("ending", ["py", "sql"])
@pytest.mark.parametrize("is_last", [True, False])
def test_a_commit_that_is_refused_leaves_a_failure_and_no_attempt_at_the_next(
    postgresql_url: DatabaseUrl, tmp_path: Path, ending: str, is_last: bool
) -> None:
    """It is said in one breath with the end of this migration and the beginning of the next, and is told by itself."""
    folder = tmp_path / "migrations"
    late = "CREATE TABLE a (id INTEGER PRIMARY KEY, b INTEGER REFERENCES a DEFERRABLE INITIALLY DEFERRED)"
    refused = f"{late}; INSERT INTO a VALUES (1, 2)"
    path = write(folder, "001_a", f"migrator.sql({refused!r})")
    if ending == "sql":
        path.rename(folder / "001_a.sql").write_text(refused)
    if not is_last:
        write(folder, "002_b", table("b"))
    with pytest.raises(MigrationFailed, match="001_a failed; it was rolled back and nothing") as failure:
        runner.deploy(target(postgresql_url, folder))
    why = 'insert or update on table "a" violates foreign key constraint "a_b_fkey"'
    assert f"reason: {why}" in str(failure.value)
    assert rows(postgresql_url, ATTEMPTS) == [("001_a", "failed", f"ForeignKeyViolation: {why}")]
    assert rows(postgresql_url, "SELECT to_regclass('a'), (SELECT count(*) FROM migratehistory)") == [(None, 0)]


def test_a_deploy_sends_few_statements_of_its_own_for_each_migration(
    database_url: DatabaseUrl, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[str] = []
    original = Connection.execute

    def counted(self: Connection, sql: str, parameters: Sequence[Any] = ()) -> Any:
        if not sql.startswith("PRAGMA"):  # a switch of SQLite's, for which nobody is asked
            sent.append(sql)
        return original(self, sql, parameters)

    monkeypatch.setattr(Connection, "execute", counted)
    counts = []
    for count in (2, 12):
        for number in range(count):
            write(tmp_path / str(count), f"{number:03}_x", table(f"x{count}_{number}"))
        sent.clear()
        runner.deploy(target(database_url, tmp_path / str(count)))
        counts.append(len(sent))
        rows(database_url, "DELETE FROM migratehistory")
    assert round((counts[1] - counts[0]) / 10) <= 6


def test_a_clock_that_went_back_makes_no_negative_time(database_url: DatabaseUrl, tmp_path: Path) -> None:
    write(tmp_path, "001_a", table("a"))
    runner.deploy(target(database_url, tmp_path))
    rows(database_url, "UPDATE migratejournal SET started = '2100-01-01 00:00:00'")
    (attempt,) = report.journal(database_url, tmp_path, limit=9)
    assert (attempt.state, attempt.seconds) == ("done", None)
