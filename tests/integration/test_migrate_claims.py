"""A migration's row in the history is there at its end, and of the same transaction; else nothing of it remains."""

from __future__ import annotations

from pathlib import Path

import pytest

from service.migrate import runner
from service.migrate.errors import MigrationFailed
from service.url import DatabaseUrl
from tests.support.migrations import rows, table, tables, target, write

OURS = {"migratehistory", "migratejournal"}


@pytest.mark.parametrize("end", ["COMMIT", "END", "ABORT", "ABORT AND CHAIN", "PREPARE TRANSACTION 'a'"])
def test_the_end_of_a_transaction_is_refused_in_any_words(
    postgresql_url: DatabaseUrl, tmp_path: Path, end: str
) -> None:
    (tmp_path / "001_a.sql").write_text(f"CREATE TABLE first (id INT); {end}; CREATE TABLE second (id INT);")
    with pytest.raises(MigrationFailed, match="The runner begins and commits"):
        runner.deploy(target(postgresql_url, tmp_path))
    assert tables(postgresql_url) == OURS


@pytest.mark.parametrize("way", ["database.cursor().execute", "database.execute_sql"])
def test_a_migration_that_goes_on_in_the_next_transaction_is_not_applied(
    postgresql_url: DatabaseUrl, tmp_path: Path, way: str
) -> None:
    chained = f"migrator.run(lambda: {way}('SELECT 1; ROLLBACK AND CHAIN'))"
    assert_is_undone(postgresql_url, tmp_path, chained)


def test_a_migration_that_empties_the_history_is_not_applied(database_url: DatabaseUrl, tmp_path: Path) -> None:
    assert_is_undone(database_url, tmp_path, "migrator.sql('DELETE FROM migratehistory')")


@pytest.mark.parametrize("end", ["ROLLBACK", "COMMIT"])
def test_a_rollback_that_goes_on_in_the_next_transaction_has_not_undone_it(
    postgresql_url: DatabaseUrl, tmp_path: Path, end: str
) -> None:
    chained = f"migrator.run(lambda: database.cursor().execute('{end} AND CHAIN'))"
    write(tmp_path, "001_a", table("first"), rollback=f"migrator.sql('DROP TABLE first')\n{chained}")
    runner.deploy(target(postgresql_url, tmp_path))
    with pytest.raises(MigrationFailed, match="it has ended the transaction"):
        runner.rollback(target(postgresql_url, tmp_path), confirm=print)
    assert rows(postgresql_url, "SELECT name FROM migratehistory") == [("001_a",)]


def assert_is_undone(url: DatabaseUrl, folder: Path, outbreak: str) -> None:
    write(folder, "001_a", f"{table('first')}\n{outbreak}\n{table('second')}")
    with pytest.raises(MigrationFailed, match="its row in migratehistory is gone") as failure:
        runner.deploy(target(url, folder))
    assert "nothing of it remains" in str(failure.value)
    assert tables(url) == OURS
