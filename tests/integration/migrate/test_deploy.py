"""Deploying, on both engines: what is applied, what is recorded, and what remains when it fails."""

from __future__ import annotations

from pathlib import Path

import pytest

from service.migrate import runner
from service.migrate.errors import BrokenScript, MigrationFailed, Refused
from service.migrate.history import History
from service.migrate.ledger import Ledger
from service.migrate.session import Event
from service.url import DatabaseUrl, parse
from tests.support.migrations import applied, rows, table, tables, target, write


def test_pending_migrations_are_applied_in_order_and_told_as_they_happen(
    database_url: DatabaseUrl, tmp_path: Path
) -> None:
    folder = tmp_path / "migrations"
    write(folder, "002_b", table("b"))
    write(folder, "001_a", table("a"))
    told: list[Event] = []
    outcome = runner.deploy(target(database_url, folder, tell=told.append))
    assert [(event.kind, event.migration) for event in told] == [
        ("starting", ""),
        ("applied", "001_a"),
        ("applied", "002_b"),
    ]
    assert (outcome.newest, outcome.total) == ("002_b", 2)
    assert {"a", "b"} <= tables(database_url)


def test_a_deploy_that_goes_below_the_newest_says_which_is_the_newest(
    database_url: DatabaseUrl, tmp_path: Path
) -> None:
    folder = tmp_path / "migrations"
    write(folder, "002_b", table("b"))
    runner.deploy(target(database_url, folder))
    write(folder, "001_a", table("a"))
    write(folder, "003_c", table("c"))
    outcome = runner.deploy(target(database_url, folder), out_of_order=True, only=1)
    assert ([event.migration for event in outcome.done], outcome.newest, outcome.total) == (["001_a"], "002_b", 3)
    assert runner.deploy(target(database_url, folder)).newest == "003_c"


def test_the_history_is_read_before_the_lock_and_under_it_and_no_more(
    database_url: DatabaseUrl, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, seen = History.read, []

    def counted(history: History) -> Ledger:
        seen.append(read(history))
        return seen[-1]

    monkeypatch.setattr(History, "read", counted)
    write(tmp_path / "migrations", "001_a", table("a"))
    assert runner.deploy(target(database_url, tmp_path / "migrations")).newest == "001_a"
    assert len(seen) == 2


def test_the_second_deploy_does_nothing(database_url: DatabaseUrl, tmp_path: Path) -> None:
    folder = tmp_path / "migrations"
    write(folder, "001_a", table("a"))
    runner.deploy(target(database_url, folder))
    assert runner.deploy(target(database_url, folder)).done == ()
    assert rows(database_url, "SELECT count(*) FROM migratejournal") == [(1,)]


def test_a_failed_migration_leaves_nothing_and_says_where_it_failed(database_url: DatabaseUrl, tmp_path: Path) -> None:
    folder = tmp_path / "migrations"
    write(folder, "001_a", table("a"))
    write(folder, "002_b", f"{table('b')}\nmigrator.sql('INSERT INTO nowhere VALUES (1)')")
    with pytest.raises(MigrationFailed) as failure:
        runner.deploy(target(database_url, folder))
    lines = str(failure.value).splitlines()
    assert lines[0] == "Migration 002_b failed; it was rolled back and nothing of it remains."
    assert lines[1] == "  at 002_b.py, line 6"
    assert lines[2] == "  running: INSERT INTO nowhere VALUES (1)"
    assert "nowhere" in lines[3]
    assert lines[4] == "Correct 002_b.py and deploy again."
    assert applied(database_url) == ["001_a"]
    assert "b" not in tables(database_url)
    (attempt,) = rows(database_url, "SELECT state, error FROM migratejournal WHERE migration = '002_b'")
    assert attempt[0] == "failed"
    assert "nowhere" in attempt[1]


def test_a_failure_in_python_names_the_line_of_the_file(database_url: DatabaseUrl, tmp_path: Path) -> None:
    write(tmp_path / "migrations", "001_a", "x = 1\nx / 0")
    with pytest.raises(MigrationFailed, match=r"001_a\.py, line 6\n  reason: ZeroDivisionError: division by zero"):
        runner.deploy(target(database_url, tmp_path / "migrations"))


def test_a_failure_in_a_function_that_was_queued_names_its_line(database_url: DatabaseUrl, tmp_path: Path) -> None:
    write(tmp_path / "migrations", "001_a", "def fill():\n    raise ValueError('no')\nmigrator.run(fill)")
    with pytest.raises(MigrationFailed, match=r"001_a\.py, line 6"):
        runner.deploy(target(database_url, tmp_path / "migrations"))


def test_a_failed_migration_runs_again_once_it_is_corrected(database_url: DatabaseUrl, tmp_path: Path) -> None:
    folder = tmp_path / "migrations"
    write(folder, "001_a", f"{table('a')}\nraise RuntimeError('not yet')")
    with pytest.raises(MigrationFailed):
        runner.deploy(target(database_url, folder))
    write(folder, "001_a", table("a"))
    assert runner.deploy(target(database_url, folder)).newest == "001_a"


def test_a_table_that_is_there_already_is_an_error_with_the_command_that_helps(
    database_url: DatabaseUrl, tmp_path: Path
) -> None:
    rows(database_url, "CREATE TABLE a (id INTEGER PRIMARY KEY)")
    body = """
    @migrator.create_model
    class A(pw.Model):
        class Meta:
            table_name = "a"
    """
    write(tmp_path / "migrations", "001_a", body)
    with pytest.raises(MigrationFailed, match="record it: migrate resolve --applied 001_a"):
        runner.deploy(target(database_url, tmp_path / "migrations"))


def test_nothing_runs_when_any_pending_file_is_wrong(database_url: DatabaseUrl, tmp_path: Path) -> None:
    folder = tmp_path / "migrations"
    write(folder, "001_a", table("a"))
    (folder / "002_b.py").write_text("def Migrate(migrator, database): pass")
    with pytest.raises(Refused, match="has no function migrate"):
        runner.deploy(target(database_url, folder))
    assert tables(database_url) == set()


def test_an_edited_migration_stops_the_deploy_before_anything_runs(database_url: DatabaseUrl, tmp_path: Path) -> None:
    folder = tmp_path / "migrations"
    path = write(folder, "001_a", table("a"))
    runner.deploy(target(database_url, folder))
    path.write_text(path.read_text() + "# changed\n")
    write(folder, "002_b", table("b"))
    with pytest.raises(Refused, match="001_a was edited after it was applied"):
        runner.deploy(target(database_url, folder))
    assert "b" not in tables(database_url)


def test_a_windows_checkout_is_not_an_edit(database_url: DatabaseUrl, tmp_path: Path) -> None:
    path = write(tmp_path / "migrations", "001_a", table("a"))
    runner.deploy(target(database_url, tmp_path / "migrations"))
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert runner.deploy(target(database_url, tmp_path / "migrations")).done == ()


def test_a_late_merge_is_applied_when_asked_for(database_url: DatabaseUrl, tmp_path: Path) -> None:
    folder = tmp_path / "migrations"
    write(folder, "001_a", table("a"))
    write(folder, "003_c", table("c"))
    runner.deploy(target(database_url, folder))
    write(folder, "002_b", table("b"))
    with pytest.raises(Refused, match="--out-of-order"):
        runner.deploy(target(database_url, folder))
    assert [event.migration for event in runner.deploy(target(database_url, folder), out_of_order=True).done] == [
        "002_b"
    ]


def test_a_database_that_is_ahead_is_left_alone(database_url: DatabaseUrl, tmp_path: Path) -> None:
    folder = tmp_path / "migrations"
    write(folder, "001_a", table("a"))
    newer = write(folder, "002_b", table("b"))
    runner.deploy(target(database_url, folder))
    newer.unlink()
    outcome = runner.deploy(target(database_url, folder))
    assert (outcome.done, outcome.ahead) == ((), ("002_b",))


def test_an_older_release_does_not_start_on_a_schema_that_broke_with_it(
    database_url: DatabaseUrl, tmp_path: Path
) -> None:
    """Its entrypoint deploys and then serves: so it is the deploy that must refuse."""
    folder = tmp_path / "migrations"
    write(folder, "001_a", table("a"))
    newer = write(folder, "002_b", table("b"), top="breaking = True")
    runner.deploy(target(database_url, folder))
    newer.unlink()
    with pytest.raises(Refused, match="002_b is applied, and it broke with releases that do not know it"):
        runner.deploy(target(database_url, folder))


@pytest.mark.parametrize("word", ["COMMIT", "BEGIN", "rollback", "END"])
def test_a_migration_can_not_end_the_runners_transaction(database_url: DatabaseUrl, tmp_path: Path, word: str) -> None:
    write(tmp_path / "migrations", "001_a", f"{table('a')}\nmigrator.sql('{word}')\nmigrator.sql('DROP TABLE nowhere')")
    with pytest.raises(MigrationFailed, match="atomic = False"):
        runner.deploy(target(database_url, tmp_path / "migrations"))
    assert "a" not in tables(database_url)


def test_a_migration_may_undo_a_part_of_itself(database_url: DatabaseUrl, tmp_path: Path) -> None:
    body = """
    database.execute_sql("CREATE TABLE a (id INTEGER PRIMARY KEY)")
    for n in (1, 1, 2):
        try:
            with database.atomic():
                database.execute_sql(f"INSERT INTO a VALUES ({n})")
        except pw.IntegrityError:
            pass
    """
    write(tmp_path / "migrations", "001_a", body)
    runner.deploy(target(database_url, tmp_path / "migrations"))
    assert rows(database_url, "SELECT id FROM a ORDER BY id") == [(1,), (2,)]


READS = """
found = database.execute_sql("SELECT count(*) FROM sources").fetchall()
rest = [row for row in database.execute_sql("SELECT 1")]
raw = database.connection().cursor()
raw.execute("INSERT INTO sources VALUES (%d)")
database.get_tables()
@migrator.create_model
class Copy(pw.Model):
    total = pw.IntegerField(default=0)
    class Meta:
        table_name = "copies"
"""


def test_an_applied_body_that_reads_or_writes_directly_never_runs_on_the_live_database_again(
    database_url: DatabaseUrl, tmp_path: Path
) -> None:
    folder = tmp_path / "migrations"
    write(folder, "001_sources", table("sources"))
    write(folder, "002_copies", READS % 1)
    runner.deploy(target(database_url, folder))
    write(folder, "003_more", 'migrator.add_fields("copies", note=pw.TextField(null=True))')
    runner.deploy(target(database_url, folder))
    assert rows(database_url, "SELECT count(*) FROM sources") == [(1,)]


def test_the_state_is_not_replayed_when_nobody_asks_for_it(database_url: DatabaseUrl, tmp_path: Path) -> None:
    folder = tmp_path / "migrations"
    write(folder, "001_a", "if fake:\n    raise RuntimeError('replayed')")
    runner.deploy(target(database_url, folder))
    write(folder, "002_b", table("b"))
    runner.deploy(target(database_url, folder))
    write(folder, "003_c", 'migrator.orm["b"]')
    with pytest.raises(BrokenScript, match="replaying 001_a, which is applied, gives RuntimeError: replayed"):
        runner.deploy(target(database_url, folder))


def test_an_instant_column_keeps_its_default_for_the_previous_release(
    database_url: DatabaseUrl, tmp_path: Path
) -> None:
    folder = tmp_path / "migrations"
    body = """
    @migrator.create_model
    class Bot(pw.Model):
        name = pw.CharField()
        class Meta:
            table_name = "bots"
    """
    write(folder, "001_bots", body)
    runner.deploy(target(database_url, folder))
    rows(database_url, "INSERT INTO bots (name) VALUES ('old')")
    added = (
        'mood=pw.CharField(default="it\'s fine"), size=pw.IntegerField(default=3), is_on=pw.BooleanField(default=True)'
    )
    write(folder, "002_mood", f'migrator.add_fields("bots", {added})')
    runner.deploy(target(database_url, folder))
    rows(database_url, "INSERT INTO bots (name) VALUES ('new')")
    assert rows(database_url, "SELECT mood, size, is_on FROM bots") == [("it's fine", 3, True)] * 2
    with pytest.raises(Exception, match=r"(?i)not.null"):
        rows(database_url, "INSERT INTO bots (name, mood) VALUES ('bad', NULL)")


def test_a_default_is_set_without_touching_a_row(database_url: DatabaseUrl, tmp_path: Path) -> None:
    folder = tmp_path / "migrations"
    body = """
    @migrator.create_model
    class Bot(pw.Model):
        mood = pw.CharField(null=True)
        class Meta:
            table_name = "bots"
    """
    write(folder, "001_bots", body)
    runner.deploy(target(database_url, folder))
    rows(database_url, "INSERT INTO bots (mood) VALUES (NULL), ('merry')")
    write(folder, "002_mood", 'migrator.add_default("bots", "mood", "calm")')
    runner.deploy(target(database_url, folder))
    rows(database_url, "INSERT INTO bots (id) VALUES (9)")
    assert rows(database_url, "SELECT mood FROM bots ORDER BY id") == [(None,), ("merry",), ("calm",)]


def test_a_folder_without_migrations_is_up_to_date(database_url: DatabaseUrl, tmp_path: Path) -> None:
    assert runner.deploy(target(database_url, tmp_path)).total == 0
    assert tables(database_url) == set()


def test_of_several_hosts_the_one_that_answers_is_taken(postgresql_url: DatabaseUrl, tmp_path: Path) -> None:
    write(tmp_path, "001_a", table("a"))
    hosts = f"{postgresql_url.host}:1,{postgresql_url.host}:{postgresql_url.port}"
    url = parse(f"postgresql://{postgresql_url.user}@{hosts}/{postgresql_url.name}?target_session_attrs=read-write")
    assert runner.deploy(target(url, tmp_path)).newest == "001_a"
    assert applied(postgresql_url) == ["001_a"]
