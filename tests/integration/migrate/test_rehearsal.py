"""`migrate deploy --dry-run`: what a deploy would run, and nothing has changed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from service.migrate import rehearsal, runner
from service.migrate.applying.recorded import Recorded
from service.migrate.cli import main
from service.migrate.errors import Refused
from service.migrate.rehearsal import Statement
from service.url import ROOT, DatabaseUrl
from tests.support.migrations import rows, table, tables, target, write
from tests.support.processes import as_text

Words = pytest.CaptureFixture[str]
MODEL = """
@migrator.create_model
class A(pw.Model):
    class Meta:
        table_name = "a"
"""


def dry_run(url: DatabaseUrl, folder: Path, *words: str) -> int:
    return main(["--database-url", as_text(url), "--dir", str(folder), "deploy", "--dry-run", *words])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "migrations"


def test_what_is_pending_is_shown_as_it_would_run(database_url: DatabaseUrl, folder: Path, capsys: Words) -> None:
    write(folder, "001_a", MODEL)
    runner.deploy(target(database_url, folder))
    write(folder, "002_more", "migrator.add_fields('a', size=pw.IntegerField(default=7))")
    (folder / "003_words.sql").write_text(
        "-- breaking: true\nCREATE TABLE words (\n  id INTEGER\n);\nDROP TABLE words;"
    )
    write(folder, "004_index", "migrator.add_index('a', 'size')", top="atomic = False")
    assert dry_run(database_url, folder) == 0
    said = capsys.readouterr().out
    assert f"A deploy would apply 3 migrations to {database_url}:\n" in said
    assert '002_more, in one transaction\n  ALTER TABLE "a" ADD COLUMN "size" INTEGER NOT NULL DEFAULT 7;\n' in said
    assert ("  -- Nobody reads or writes a for a moment.\n" in said) is not database_url.is_sqlite
    assert "003_words, in one transaction, breaking\n" in said
    assert "CREATE TABLE words (\n    id INTEGER\n  );\n  DROP TABLE words;\n" in said
    assert '004_index, in steps\n  CREATE INDEX "a_size" ON "a" ("size");\n' in said
    assert "001_a" not in said
    assert said.endswith(
        "Nothing was changed. This ran on empty tables: what a migration does row by row is not among it.\n"
    )
    assert "words" not in tables(database_url)
    assert rows(database_url, "SELECT name FROM migratehistory") == [("001_a",)]


def test_a_database_that_is_not_there_yet_is_not_made(tmp_path: Path, folder: Path, capsys: Words) -> None:
    write(folder, "001_a", table("a"))
    assert dry_run(DatabaseUrl("sqlite", str(tmp_path / "new.db")), folder) == 0
    assert "A deploy would apply 1 migration to SQLite database" in capsys.readouterr().out
    assert not (tmp_path / "new.db").exists()


def test_it_is_what_a_deploy_then_runs(database_url: DatabaseUrl, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of the service's own migrations."""
    shown = rehearsal.rehearse(database_url, ROOT / "migrations").pending
    ran: list[str] = []
    execute = Recorded.execute_sql

    def heard(database: Recorded, sql: str, params: object = None) -> object:
        ran.append(sql.strip().rstrip(";"))
        return execute(database, sql, params)

    monkeypatch.setattr(Recorded, "execute_sql", heard)
    runner.deploy(target(database_url, ROOT / "migrations"))
    statements = [each.sql for part in shown for each in part.statements if not each.sql.startswith("-- backfill")]
    assert len(statements) > 100
    assert [sql for sql in ran if sql in set(statements)] == statements


def test_an_index_that_is_built_beside_others_is_shown_so(postgresql_url: DatabaseUrl, folder: Path) -> None:
    write(folder, "001_a", MODEL)
    write(folder, "002_i", "migrator.add_index('a', 'id', name='i', concurrently=True)", top="atomic = False")
    (part,) = rehearsal.rehearse(postgresql_url, folder).pending[1:]
    assert part.statements == (Statement('CREATE INDEX CONCURRENTLY "i" ON "a" ("id")'),)


def test_values_and_what_is_only_read_are_left_out(database_url: DatabaseUrl, folder: Path) -> None:
    mark = "?" if database_url.is_sqlite else "%s"
    body = (
        f"{table('a')}\nmigrator.sql('INSERT INTO a (id) VALUES ({mark})', 4711)\n"
        "migrator.run(lambda: database.execute_sql('SELECT count(*) FROM a'))\n"
        "migrator.run(lambda: database.execute_sql('WITH x AS (SELECT 1) DELETE FROM a'))"
    )
    write(folder, "001_a", body)
    (part,) = rehearsal.rehearse(database_url, folder).pending
    said = [each.sql for each in part.statements]
    assert said[1:] == [f"INSERT INTO a (id) VALUES ({mark})", "WITH x AS (SELECT 1) DELETE FROM a"]


def test_a_backfill_is_named(database_url: DatabaseUrl, folder: Path, capsys: Words) -> None:
    write(folder, "001_a", MODEL)
    write(folder, "002_fill", "migrator.backfill('a', lambda row: None)", top="atomic = False")
    said = "002_fill, in steps\n  -- backfill of a, in batches\n\n"
    assert dry_run(database_url, folder) == 0
    assert said in capsys.readouterr().out
    runner.deploy(target(database_url, folder), only=1)
    assert dry_run(database_url, folder) == 0
    assert said in capsys.readouterr().out


def test_nothing_to_do_is_said_as_a_deploy_says_it(database_url: DatabaseUrl, folder: Path, capsys: Words) -> None:
    folder.mkdir()
    assert dry_run(database_url, folder) == 0
    assert capsys.readouterr().out.startswith("There are no migrations yet")
    write(folder, "001_a", table("a"))
    runner.deploy(target(database_url, folder))
    assert dry_run(database_url, folder) == 0
    assert capsys.readouterr().out == "Database schema is up to date! 1 migration, the newest is 001_a.\n"


def test_what_a_deploy_would_refuse_is_refused_in_the_same_words(
    database_url: DatabaseUrl, folder: Path, capsys: Words
) -> None:
    write(folder, "002_b", table("b"))
    runner.deploy(target(database_url, folder))
    write(folder, "001_a", table("a"))
    assert dry_run(database_url, folder) == 1
    assert "001_a is not applied, but 002_b, which comes after it, is." in capsys.readouterr().err
    assert dry_run(database_url, folder, "--out-of-order") == 0
    with pytest.raises(Refused, match="001_a is not applied"):
        rehearsal.rehearse(database_url, folder)


def test_what_fails_on_empty_tables_is_told_before_it_is_deployed(database_url: DatabaseUrl, folder: Path) -> None:
    write(folder, "001_a", "migrator.sql('ALTER TABLE nowhere ADD COLUMN x INTEGER')")
    with pytest.raises(Refused, match=r"001_a.py fails on empty tables: \w+: .*nowhere.* Correct it; or"):
        rehearsal.rehearse(database_url, folder)


def test_a_program_gets_all_of_it(database_url: DatabaseUrl, folder: Path, capsys: Words) -> None:
    write(folder, "001_a", "migrator.sql('CREATE TABLE a (id INTEGER)')", top="breaking = True")
    assert dry_run(database_url, folder, "--json") == 0
    assert json.loads(capsys.readouterr().out) == {
        "database": str(database_url),
        "applied": [],
        "pending": [
            {
                "migration": "001_a",
                "atomic": True,
                "breaking": True,
                "statements": [{"sql": "CREATE TABLE a (id INTEGER)", "tables": [], "untried": "", "notes": []}],
            }
        ],
        "slow": 0,
    }


def test_of_a_statement_that_brings_its_data_the_beginning_is_shown(
    sqlite_url: DatabaseUrl, folder: Path, capsys: Words
) -> None:
    folder.mkdir()
    values = ",\n".join(f"({number})" for number in range(1000))
    (folder / "001_a.sql").write_text(f"CREATE TABLE a (id INTEGER);\nINSERT INTO a VALUES\n{values};")
    assert dry_run(sqlite_url, folder) == 0
    said = capsys.readouterr().out
    assert "  (38),\n  … 961 lines more;\n" in said
