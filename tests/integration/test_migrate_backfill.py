"""Changing a lot of data: batches that stand, whatever ends the deploy between them."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from service.migrate import runner
from service.migrate.connection import connect
from service.migrate.errors import MigrationFailed, Overtaken, Refused
from service.migrate.patience import Patience
from service.migrate.runner import Event
from service.migrate.tally import Tally
from service.url import DatabaseUrl
from tests.support.migrations import applied, filled, rows, table, target, write
from tests.support.processes import environment, eventually, run
from tests.support.terminal import on_a_terminal

LENGTHS = 'migrator.backfill("words", lambda row: {"length": len(row.word)}, batch=3)'
IN_SQL = 'migrator.backfill("words", {"length": pw.SQL("length(word)")}, batch=3)'
DONE = "SELECT id FROM words WHERE length IS NOT NULL ORDER BY id"


def backfill(url: DatabaseUrl, folder: Path, body: str, **options: Any) -> list[Tally]:
    """Deploy a migration with this body; how far its backfills were after each batch."""
    write(folder, "002_fill", body, top="atomic = False")
    told: list[Event] = []
    runner.deploy(target(url, folder, tell=told.append, **options))
    return [event.tally for event in told if event.tally]


def done(url: DatabaseUrl) -> list[int]:
    return [row[0] for row in rows(url, DONE)]


@pytest.mark.parametrize("body", [LENGTHS, IN_SQL], ids=["function", "sql"])
def test_every_row_is_changed_batch_by_batch(database_url: DatabaseUrl, tmp_path: Path, body: str) -> None:
    folder = filled(database_url, tmp_path, 10)
    told = backfill(database_url, folder, body)
    assert rows(database_url, "SELECT count(*) FROM words WHERE length = length(word)") == [(10,)]
    assert [(tally.done, tally.total, tally.is_over) for tally in told] == [
        (0, 10, False),
        (3, 10, False),
        (6, 10, False),
        (9, 10, False),
        (10, 10, False),
        (10, 10, True),
    ]


def test_only_the_rows_that_are_asked_for_are_changed(database_url: DatabaseUrl, tmp_path: Path) -> None:
    folder = filled(database_url, tmp_path, 9)
    body = """
    Word = migrator.orm["words"]
    migrator.backfill(Word, {"length": 0}, where=Word.id > 4, batch=2)
    migrator.backfill(Word, lambda row: {"length": 1} if row.id % 2 else None, where=Word.id < 4)
    """
    assert [tally.total for tally in backfill(database_url, folder, body) if tally.is_over] == [5, 3]
    assert rows(database_url, "SELECT id, length FROM words WHERE length IS NOT NULL ORDER BY id") == [
        (1, 1),
        (3, 1),
        *((number, 0) for number in range(5, 10)),
    ]


def test_a_row_that_is_added_meanwhile_is_changed_too(database_url: DatabaseUrl, tmp_path: Path) -> None:
    folder = filled(database_url, tmp_path, 6)
    write(folder, "002_fill", LENGTHS, top="atomic = False")

    def add_one(event: Event) -> None:
        if event.tally and event.tally.done == 3:
            rows(database_url, "INSERT INTO words (word, hits) VALUES ('added', 0)")

    runner.deploy(target(database_url, folder, tell=add_one))
    assert rows(database_url, "SELECT length FROM words ORDER BY id DESC LIMIT 1") == [(5,)]
    assert len(done(database_url)) == 7


KILLED_AT_8 = """
import os, pathlib, signal
def length(row):
    pathlib.Path({seen!r}).open("a").write(f"{{row.id}} ")
    if row.id == 8 and not pathlib.Path({again!r}).exists():
        os.kill(os.getpid(), signal.SIGKILL)
    return {{"length": len(row.word), "hits": row.hits + 1}}
migrator.backfill("words", {{"hits": pw.SQL("hits + 1")}}, batch=4)
migrator.backfill("words", length, batch=3)
"""


def test_a_killed_backfill_goes_on_exactly_at_the_next_batch(database_url: DatabaseUrl, tmp_path: Path) -> None:
    folder, seen, again = filled(database_url, tmp_path, 10), tmp_path / "seen", tmp_path / "again"
    body = KILLED_AT_8.format(seen=str(seen), again=str(again))
    write(folder, "002_fill", body, top="atomic = False")
    command = ("migrate", "--dir", str(folder), "deploy")
    killed = run(*command, env=environment(database_url))
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert done(database_url) == [1, 2, 3, 4, 5, 6]
    assert seen.read_text() == "1 2 3 4 5 6 7 8 "
    seen.unlink()
    again.touch()
    finished = run(*command, env=environment(database_url))
    assert "    words: goes on after 6 of 10 rows\n" in finished.stdout
    assert "    words: 10 of 10 rows (100 %), " in finished.stdout
    assert seen.read_text() == "7 8 9 10 "
    assert rows(database_url, "SELECT DISTINCT hits FROM words") == [(2,)]
    assert applied(database_url) == ["001_words", "002_fill"]


def test_kill_9_at_any_moment_repeats_no_batch_and_leaves_none_out(database_url: DatabaseUrl, tmp_path: Path) -> None:
    folder = filled(database_url, tmp_path, 20_000)
    body = 'migrator.backfill("words", {"hits": pw.SQL("hits + 1")}, batch=100, pause=0.005)'
    write(folder, "002_fill", body, top="atomic = False")
    command = [sys.executable, "-m", "service.migrate.cli", "--dir", str(folder), "deploy"]
    changed = "SELECT count(*) FROM words WHERE hits > 0"
    before = 0
    for _ in range(3):
        process = subprocess.Popen(command, env=environment(database_url), stdout=subprocess.DEVNULL)
        eventually(lambda: rows(database_url, changed)[0][0] > before)  # noqa: B023
        process.kill()
        process.wait()
        before = rows(database_url, changed)[0][0]
        assert 0 < before < 20_000
        assert before % 100 == 0
    assert run(*command, env=environment(database_url)).returncode == 0
    assert rows(database_url, "SELECT hits, count(*) FROM words GROUP BY hits") == [(1, 20_000)]


FAILS = """
def length(row):
    if row.word in ("word 2", "word 5", "word 8"):
        raise ValueError(f"no length for {row.word!r}")
    return {"length": len(row.word)}
"""


def test_over_the_limit_of_errors_it_stops_and_what_was_done_stays(database_url: DatabaseUrl, tmp_path: Path) -> None:
    folder = filled(database_url, tmp_path, 10)
    limited = 'migrator.backfill("words", length, batch=3, max_errors=2)'
    with pytest.raises(MigrationFailed) as failure:
        backfill(database_url, folder, FAILS + limited)
    assert str(failure.value) == (
        "Migration 002_fill failed; it is not atomic: 6 of 10 rows of words stand, and the next deploy goes on after"
        " them.\n"
        "  at 002_fill.py, line 9\n"
        "  reason: 3 rows of words can't be changed, and max_errors allows 2: 2 (ValueError: no length for …);"
        " 5 (ValueError: no length for …); 8 (ValueError: no length for …)\n"
        "Correct 002_fill.py and deploy again."
    )
    assert done(database_url) == [1, 3, 4, 6]


def test_what_failed_before_is_tried_again_by_the_next_deploy(database_url: DatabaseUrl, tmp_path: Path) -> None:
    folder = filled(database_url, tmp_path, 10)
    limited = 'migrator.backfill("words", length, batch=3, max_errors=2)'
    with pytest.raises(MigrationFailed):
        backfill(database_url, folder, FAILS + limited)
    rows(database_url, "UPDATE words SET word = 'mended' WHERE id = 2")
    last = backfill(database_url, folder, FAILS + limited)[-1]
    assert (last.done, last.total, last.failed, last.before) == (10, 10, 2, 6)
    assert [key for key, _ in last.failures] == [5, 8]
    assert done(database_url) == [1, 2, 3, 4, 6, 7, 9, 10]


@pytest.mark.parametrize(
    "change", ['{"length": pw.SQL("100 - 10 * id")}', 'lambda row: {"length": 100 - 10 * row.id}'], ids=["sql", "row"]
)
def test_a_row_that_the_database_refuses_is_left_alone_and_named(
    database_url: DatabaseUrl, tmp_path: Path, change: str
) -> None:
    folder = filled(database_url, tmp_path, 12)
    told = backfill(database_url, folder, f'migrator.backfill("words", {change}, batch=5, max_errors=None)')
    assert [key for key, _ in told[-1].failures] == [11, 12]
    assert "IntegrityError" in told[-1].failures[0][1]
    assert done(database_url) == list(range(1, 11))


def test_what_the_function_wrote_for_a_row_goes_with_the_row(database_url: DatabaseUrl, tmp_path: Path) -> None:
    folder = filled(database_url, tmp_path, 6)
    body = """
    def note(row):
        row.length = 0
        row.save()
        database.execute_sql(f"INSERT INTO notes VALUES ({row.id})")
        if row.id in (2, 3):
            raise LookupError("no such thing")
        if row.id == 5:
            database.execute_sql("INSERT INTO notes VALUES (1)")
    migrator.sql("CREATE TABLE notes (id INTEGER PRIMARY KEY)")
    migrator.backfill("words", note, batch=4, max_errors=3)
    """
    last = backfill(database_url, folder, body)[-1]
    assert [key for key, _ in last.failures] == [2, 3, 5]
    assert done(database_url) == [1, 4, 6]
    assert rows(database_url, "SELECT id FROM notes ORDER BY id") == [(1,), (4,), (6,)]


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        ("lambda row: missing", "name 'missing' is not defined"),
        ("lambda row: 7", "returns a dict of changes, or None to leave the row alone; not int"),
        ('lambda row: {"size": 7}', "The backfill of words sets size, and there is no such field"),
        ('lambda row: database.execute_sql("COMMIT")', "Each batch of a backfill is committed by the runner"),
        ('lambda row: database.execute_sql("SELECT * FROM nowhere")', "nowhere"),
        ('{"size": 7}', "The backfill of words sets size, and there is no such field"),
    ],
)
def test_a_mistake_in_the_migration_is_no_error_of_a_row(
    database_url: DatabaseUrl, tmp_path: Path, function: str, reason: str
) -> None:
    folder = filled(database_url, tmp_path, 3)
    with pytest.raises(MigrationFailed, match=reason):
        backfill(database_url, folder, f'migrator.backfill("words", {function}, max_errors=None)')


def test_values_of_every_kind_arrive(database_url: DatabaseUrl, tmp_path: Path) -> None:
    body = """
    @migrator.create_model
    class Thing(pw.Model):
        moment, data = pw.DateTimeField(null=True), pw.JSONField(null=True)
        price, text, is_on = pw.DecimalField(null=True), pw.TextField(null=True), pw.BooleanField(null=True)
        next = pw.ForeignKeyField("self", null=True)
        class Meta:
            table_name = "things"
    migrator.sql("INSERT INTO things (id) VALUES (1), (2), (3)")
    """
    write(tmp_path / "m", "001_things", body)
    change = """
    from datetime import datetime
    from decimal import Decimal
    def fill(row):
        if row.id == 1:
            return {"moment": datetime(2026, 1, 2), "data": {"a": ["é", None]}, "price": Decimal("1.5"), "is_on": True}
        return {"text": "it's 100 %s", "next": row.id - 1} if row.id == 2 else {"text": None}
    def check():
        first, second, third = migrator.orm["things"].select().order_by(migrator.orm["things"].id)
        assert (first.moment, first.data, first.price) == (datetime(2026, 1, 2), {"a": ["é", None]}, Decimal("1.5"))
        assert (first.is_on, second.text, second.next, third.text) == (True, "it's 100 %s", first, None)
    migrator.backfill("things", fill)
    migrator.run(check)
    """
    assert backfill(database_url, tmp_path / "m", change)[-1].done == 3


KEYS = {
    "text": ("TEXT", ["", "Zoë", "a'b", "b%", "🐙"]),
    "uuid": ("CHAR(36)", [f"{number:08x}-0000-4000-8000-00000000000a" for number in range(5)]),
}
FIELDS = {"text": "pw.TextField(primary_key=True)", "uuid": "pw.UUIDField(primary_key=True)"}


@pytest.mark.parametrize("kind", FIELDS)
@pytest.mark.parametrize("change", ['{"hits": pw.SQL("hits + 1")}', 'lambda row: {"hits": row.hits + 1}'])
def test_keys_may_be_text_and_uuids(database_url: DatabaseUrl, tmp_path: Path, kind: str, change: str) -> None:
    body = f"""
    @migrator.create_model
    class Thing(pw.Model):
        key = {FIELDS[kind]}
        hits = pw.IntegerField(default=0)
        class Meta:
            table_name = "things"
    migrator.run(lambda: [Thing.create(key=key) for key in {KEYS[kind][1]!r}])
    """
    write(tmp_path / "m", "001_things", body)
    assert backfill(database_url, tmp_path / "m", f'migrator.backfill("things", {change}, batch=2)')[-1].done == 5
    assert rows(database_url, "SELECT hits, count(*) FROM things GROUP BY hits") == [(1, 5)]


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        ('pw.CompositeKey("a", "b")', "goes through a table by a primary key of one column, and the key of t is a, b;"),
        ("False", "goes through a table by a primary key of one column, and t has none;"),
    ],
)
def test_a_table_without_a_key_of_one_column_is_refused(
    database_url: DatabaseUrl, tmp_path: Path, key: str, reason: str
) -> None:
    body = f"""
    @migrator.create_model
    class T(pw.Model):
        a, b = pw.IntegerField(), pw.IntegerField()
        class Meta:
            table_name = "t"
            primary_key = {key}
    migrator.backfill(T, {{"a": 1}})
    """
    with pytest.raises(MigrationFailed, match=reason):
        backfill(database_url, tmp_path / "m", body)


def test_a_backfill_in_an_atomic_migration_is_refused_before_anything_runs(
    database_url: DatabaseUrl, tmp_path: Path
) -> None:
    folder = filled(database_url, tmp_path, 3)
    write(folder, "002_first", table("a"))
    write(folder, "003_fill", LENGTHS)
    with pytest.raises(Refused) as refusal:
        runner.deploy(target(database_url, folder))
    assert str(refusal.value) == (
        "003_fill.py backfills, and each batch of a backfill is a transaction of its own."
        " Write `atomic = False` at the top of the file."
    )
    assert applied(database_url) == ["001_words"]


def test_a_backfill_that_the_text_does_not_show_is_refused_when_it_is_met(
    database_url: DatabaseUrl, tmp_path: Path
) -> None:
    folder = filled(database_url, tmp_path, 3)
    write(folder, "002_fill", 'getattr(migrator, "back" + "fill")("words", {"length": 1})')
    with pytest.raises(MigrationFailed, match=r"commits each of its batches: write `atomic = False`"):
        runner.deploy(target(database_url, folder))
    assert done(database_url) == []


def test_who_has_lost_the_migration_to_another_deploy_writes_nothing_more(
    database_url: DatabaseUrl, tmp_path: Path
) -> None:
    """Its lock was gone, and the other deploy has closed its row of the journal."""
    folder = filled(database_url, tmp_path, 9)
    write(folder, "002_fill", LENGTHS, top="atomic = False")

    def take_over(event: Event) -> None:
        if event.tally and event.tally.done == 3:
            rows(database_url, "UPDATE migratejournal SET state = 'failed' WHERE state = 'running'")

    with pytest.raises(Overtaken, match="Another deploy has taken this migration over"):
        runner.deploy(target(database_url, folder, tell=take_over))
    assert done(database_url) == [1, 2, 3]


def test_a_row_that_somebody_holds_is_waited_for_in_several_tries(postgresql_url: DatabaseUrl, tmp_path: Path) -> None:
    folder = filled(postgresql_url, tmp_path, 9)
    holder = connect(postgresql_url)
    holder.execute("BEGIN")
    holder.execute("UPDATE words SET hits = 0 WHERE id = 5")
    write(folder, "002_fill", LENGTHS, top="atomic = False")
    told: list[Event] = []

    def tell(event: Event) -> None:
        told.append(event)
        if event.kind == "blocked":
            holder.close()

    runner.deploy(target(postgresql_url, folder, tell=tell, patience=Patience(lock_timeout=0.2, attempts=3)))
    assert [event.tally.done for event in told if event.tally] == [0, 3, 6, 9, 9]
    assert [event.kind for event in told].count("blocked") == 1


def test_a_journal_without_checkpoints_is_given_them(database_url: DatabaseUrl, tmp_path: Path) -> None:
    folder = filled(database_url, tmp_path, 4)
    rows(database_url, "ALTER TABLE migratejournal DROP COLUMN checkpoint")
    assert backfill(database_url, folder, LENGTHS)[-1].done == 4


def test_a_rollback_may_backfill_too(database_url: DatabaseUrl, tmp_path: Path) -> None:
    folder = filled(database_url, tmp_path, 5)
    undo = 'migrator.backfill("words", {"length": None}, batch=2)'
    write(folder, "002_fill", LENGTHS, undo, top="atomic = False")
    runner.deploy(target(database_url, folder))
    runner.rollback(target(database_url, folder), confirm=lambda _names: None)
    assert done(database_url) == []


def test_there_may_be_pauses_between_batches(sqlite_url: DatabaseUrl, tmp_path: Path) -> None:
    folder = filled(sqlite_url, tmp_path, 6)
    began = time.monotonic()
    backfill(sqlite_url, folder, 'migrator.backfill("words", {"length": 1}, batch=2, pause=0.15)')
    assert time.monotonic() - began >= 3 * 0.15


MEMORY = """
import resource
peaks = []
def grow(row):
    if row.id in (20_000, {rows}):
        peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    return {{"length": 1}} if row.id % 20 == 0 else None
def check():
    assert peaks[1] - peaks[0] < 4096, peaks
migrator.backfill("words", grow)
migrator.run(check)
"""


def test_memory_does_not_grow_with_the_table(database_url: DatabaseUrl, tmp_path: Path) -> None:
    folder = filled(database_url, tmp_path, 200_000)
    write(folder, "002_fill", MEMORY.format(rows=200_000), top="atomic = False")
    result = run("migrate", "--dir", str(folder), "deploy", env=environment(database_url))
    assert result.returncode == 0, result.stderr


def test_a_terminal_sees_a_bar_and_what_the_migration_says_beside_it(sqlite_url: DatabaseUrl, tmp_path: Path) -> None:
    folder = filled(sqlite_url, tmp_path, 6)
    body = """
    import logging
    def say(row):
        logging.getLogger("migrations").info("row %d", row.id)
    migrator.backfill("words", say, batch=2, pause=0.15)
    """
    write(folder, "002_fill", body, top="atomic = False")
    words = [sys.executable, "-m", "service.migrate.cli", "--dir", str(folder), "deploy"]
    _code, seen = on_a_terminal(*words, env=environment(sqlite_url))
    assert "\x1b[K    words [███████████████·········]  66 %  " in seen
    assert "\x1b[K    row 4\n" in seen
    assert "\x1b[K    words: 6 of 6 rows (100 %), " in seen
