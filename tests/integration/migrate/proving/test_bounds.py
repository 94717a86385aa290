"""What is tried beside the live schema never gets at it, whatever it sends; what no schema has is passed over."""

from __future__ import annotations

from pathlib import Path

import pytest

from service.migrate import runner
from service.migrate.errors import BrokenScript
from service.migrate.files import scan
from service.migrate.proving import shadow
from service.url import DatabaseUrl
from tests.support.migrations import applied, rows, table, target, write

ENDS = {
    "by Peewee": "database.commit()",
    "by a statement": "database.execute_sql('COMMIT')",
    "by the driver": "database.cursor().execute('COMMIT')",
    "in bytes": "database.cursor().execute(b'commit')",
    "among others": "database.connection().cursor().execute('SELECT 1; COMMIT; BEGIN')",
    "several times": "database.cursor().executemany('COMMIT', [()])",
    "to go back": "database.rollback()",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path / "m", "001_a", table("a"))
    return tmp_path / "m"


@pytest.mark.parametrize("way", ENDS)
def test_what_ends_the_transaction_is_not_tried(postgresql_url: DatabaseUrl, folder: Path, way: str) -> None:
    """Else the scratch schema stayed, and the rows of the live table were gone."""
    rows(postgresql_url, "CREATE TABLE a (id INTEGER PRIMARY KEY)")
    rows(postgresql_url, "INSERT INTO a VALUES (1)")
    write(folder, "002_b", f"{ENDS[way]}\nmigrator.sql('DELETE FROM a')")
    with pytest.raises(BrokenScript, match=r"replaying 002_b, .* Take that out of the file: the runner begins and"):
        runner.detect(target(postgresql_url, folder))
    assert rows(postgresql_url, "SELECT id FROM a") == [(1,)]
    assert rows(postgresql_url, "SELECT nspname FROM pg_namespace WHERE nspname LIKE 'slipway%'") == []


def test_who_knows_better_records_what_can_not_be_tried(database_url: DatabaseUrl, folder: Path) -> None:
    write(folder, "002_b", "raise RuntimeError('not again')")
    with pytest.raises(BrokenScript, match="not again"):
        runner.resolve(target(database_url, folder), applied=["001_a", "002_b"])
    done = runner.resolve(target(database_url, folder), applied=["001_a", "002_b"], forced_because="made by hand")
    assert {event.detail for event in done.done} == {"nothing was compared, since what it makes can't be worked out"}
    assert applied(database_url) == ["001_a", "002_b"]


def test_what_no_schema_has_is_passed_over(database_url: DatabaseUrl, folder: Path) -> None:
    (folder / "002_tidy.sql").write_text("-- atomic: false\nVACUUM; CREATE TABLE b (id INTEGER PRIMARY KEY);")
    runner.deploy(target(database_url, folder))
    assert shadow.snapshots(database_url, scan(folder))[-1].tables.keys() == {"a", "b"}
