"""What a backfill can't change, may not touch, or has to wait for."""

from __future__ import annotations

from pathlib import Path

import pytest

from service.migrate import runner
from service.migrate.connection import connect
from service.migrate.errors import MigrationFailed, Overtaken, Refused
from service.migrate.patience import Patience
from service.migrate.session import Event
from service.url import DatabaseUrl
from tests.support.backfills import LENGTHS, backfill, done
from tests.support.migrations import applied, filled, rows, table, target, write

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


SIZED = """
migrator.sql('''
    CREATE DOMAIN short AS varchar(3);
    CREATE TABLE sized (id integer PRIMARY KEY, a varchar(3), b char(3), c bit(3), d short, e text)
''')
"""
FILL_SIZED = """
class Sized(pw.Model):
    a, b, c, d, e = (pw.Field(null=True) for _ in range(5))
    class Meta:
        table_name = "sized"
Sized.bind(database)
texts = {1: "abc", 2: "abcd", 3: None}
bits = {1: "101", 2: "1010", 3: None}
migrator.backfill(Sized, lambda row: COLUMNS, batch=1, max_errors=None)
"""
TEXTS = '{"a": texts[row.id], "b": texts[row.id], "d": texts[row.id], "e": row.id if row.id == 1 else "x"}'


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        (TEXTS, [("abc", "abc", None, "abc", "1"), (None,) * 5, (None, None, None, None, "x")]),
        ('{"c": bits[row.id]}', [(None, None, "101", None, None), (None,) * 5, (None,) * 5]),
    ],
    ids=["texts", "bits"],
)
def test_a_value_that_is_too_long_is_refused_and_not_cut(
    postgresql_url: DatabaseUrl, tmp_path: Path, columns: str, expected: list[tuple[str | None, ...]]
) -> None:
    """The rows of a batch are one statement, whose values are cast."""
    write(tmp_path / "m", "001_sized", SIZED)
    runner.deploy(target(postgresql_url, tmp_path / "m"))
    rows(postgresql_url, "INSERT INTO sized (id) VALUES (1), (2), (3)")
    last = backfill(postgresql_url, tmp_path / "m", FILL_SIZED.replace("COLUMNS", columns))[-1]
    assert [key for key, _ in last.failures] == [2], last.failures
    assert rows(postgresql_url, "SELECT a, b, c, d, e FROM sized ORDER BY id") == expected
