"""Changing a lot of data: batches that stand, whatever ends the deploy between them."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from service.migrate import runner
from service.migrate.session import Event
from service.url import DatabaseUrl
from tests.support.backfills import IN_SQL, LENGTHS, backfill, done
from tests.support.migrations import applied, filled, rows, target, write
from tests.support.processes import environment, eventually, run
from tests.support.terminal import on_a_terminal


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
    write(folder, "002_fill", f"import os\n{body}", top="atomic = False")
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
    body = 'migrator.backfill("words", {"hits": pw.SQL("hits + 1")}, batch=100, pause=float(os.environ["PAUSE"]))'
    write(folder, "002_fill", f"import os\n{body}", top="atomic = False")
    command = [sys.executable, "-m", "service.migrate.cli", "--dir", str(folder), "deploy"]
    changed = "SELECT count(*) FROM words WHERE hits > 0"
    before = 0
    for _ in range(3):
        slow = environment(database_url, PAUSE="0.2")
        process = subprocess.Popen(command, env=slow, stdout=subprocess.DEVNULL)
        eventually(lambda: rows(database_url, changed)[0][0] > before)  # noqa: B023
        process.kill()
        process.wait()
        before = rows(database_url, changed)[0][0]
        assert 0 < before < 20_000
        assert before % 100 == 0
    assert run(*command, env=environment(database_url, PAUSE="0")).returncode == 0
    assert rows(database_url, "SELECT hits, count(*) FROM words GROUP BY hits") == [(1, 20_000)]


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
