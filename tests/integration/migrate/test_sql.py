"""Migrations that are SQL, whole or in part: it is run as it stands."""

from __future__ import annotations

from pathlib import Path

import pytest

from service.migrate import runner
from service.migrate.errors import MigrationFailed
from service.url import DatabaseUrl
from tests.support.migrations import rows, table, tables, target, write


def test_sql_files_stand_beside_python_ones(database_url: DatabaseUrl, tmp_path: Path) -> None:
    folder = tmp_path / "migrations"
    write(folder, "001_a", table("a"))
    (folder / "002_b.sql").write_text(
        "-- two; statements\nCREATE TABLE b (x TEXT);\nINSERT INTO b VALUES ('50 % ; off');\n"
    )
    runner.deploy(target(database_url, folder))
    assert rows(database_url, "SELECT x FROM b") == [("50 % ; off",)]


def test_a_failing_sql_file_names_its_line(database_url: DatabaseUrl, tmp_path: Path) -> None:
    (tmp_path / "migrations").mkdir()
    (tmp_path / "migrations" / "001_a.sql").write_text("CREATE TABLE a (x TEXT);\n\n-- and now\nDROP TABLE nowhere;\n")
    with pytest.raises(MigrationFailed, match=r"001_a\.sql, line 4\n  running: DROP TABLE nowhere"):
        runner.deploy(target(database_url, tmp_path / "migrations"))
    assert "a" not in tables(database_url)


def test_a_percent_sign_is_only_a_percent_sign(database_url: DatabaseUrl, tmp_path: Path) -> None:
    insert = "INSERT INTO a (id, x) VALUES (1, '100%s %'); INSERT INTO a (id) VALUES (2)"
    body = f'{table("a", "x TEXT")}\nmigrator.sql("{insert}")'
    write(tmp_path / "migrations", "001_a", body)
    runner.deploy(target(database_url, tmp_path / "migrations"))
    assert rows(database_url, "SELECT x FROM a ORDER BY id") == [("100%s %",), (None,)]
