"""Nothing is recorded as applied that is not there: proof by a shadow that leaves no trace."""

from __future__ import annotations

from pathlib import Path

import pytest

from service.migrate import runner
from service.migrate.cli import main
from service.migrate.connection import connect
from service.migrate.errors import BrokenScript, Unproven
from service.migrate.files import scan
from service.migrate.proving import schema, shadow
from service.migrate.proving.snapshot import diff
from service.url import ROOT, DatabaseUrl
from tests.support.migrations import applied, rows, table, tables, target, write
from tests.support.processes import as_text

OURS = ROOT / "migrations"
ADD = "migrator.sql(\"ALTER TABLE a ADD COLUMN color VARCHAR(7) DEFAULT 'red'\")"
INDEX = 'migrator.sql("CREATE INDEX a_color ON a (color)")'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "migrations"
    write(folder, "001_a", table("a"))
    write(folder, "002_color", ADD)
    write(folder, "003_data", "migrator.sql(\"UPDATE a SET color = 'blue'\")")
    write(folder, "004_index", INDEX)
    return folder


def by_hand(url: DatabaseUrl, *statements: str) -> None:
    for statement in ("CREATE TABLE a (id INTEGER PRIMARY KEY)", *statements):
        rows(url, statement)


COLOR = "ALTER TABLE a ADD COLUMN color VARCHAR(7) DEFAULT 'red'"


def test_what_is_not_there_is_not_recorded_and_every_difference_is_told(
    database_url: DatabaseUrl, folder: Path
) -> None:
    by_hand(database_url, "ALTER TABLE a ADD COLUMN color VARCHAR(9)")
    with pytest.raises(Unproven) as refusal:
        runner.resolve(target(database_url, folder), applied=["001_a", "002_color"])
    (missing,) = refusal.value.missing
    assert missing.startswith("a: column color ")
    assert str(refusal.value).splitlines()[0] == (
        "002_color can't be recorded as applied: the database does not look as if it had run."
    )
    assert "migratehistory" not in tables(database_url)


def test_a_whole_table_that_is_missing_is_one_line(database_url: DatabaseUrl, folder: Path) -> None:
    with pytest.raises(Unproven) as refusal:
        runner.resolve(target(database_url, folder), applied=["001_a"])
    assert refusal.value.missing == ("table a",)


def test_what_a_migration_removes_must_be_gone(database_url: DatabaseUrl, folder: Path) -> None:
    write(folder, "005_drop", 'migrator.sql("DROP INDEX a_color")')
    by_hand(database_url, COLOR, "CREATE INDEX a_color ON a (color)")
    with pytest.raises(Unproven) as refusal:
        runner.resolve(target(database_url, folder), applied=["005_drop"])
    assert len(refusal.value.left_over) == 1


def test_what_a_later_migration_changed_again_is_not_asked_for(database_url: DatabaseUrl, folder: Path) -> None:
    write(folder, "005_drop", 'migrator.sql("DROP INDEX a_color")')
    by_hand(database_url, COLOR)
    runner.resolve(target(database_url, folder), applied=["001_a", "002_color", "003_data", "004_index", "005_drop"])
    assert runner.deploy(target(database_url, folder)).done == ()


def test_a_person_may_know_better_and_says_why(
    database_url: DatabaseUrl, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--database-url", as_text(database_url), "--dir", str(folder), "resolve", "--applied", "001_a"]
    assert main([*words, "--force"]) == 1
    assert capsys.readouterr().err == '--force and --why "the reason" go together.\n'
    assert main([*words, "--force", "--why", "it lives in another schema"]) == 0
    assert applied(database_url) == ["001_a"]
    assert rows(database_url, "SELECT error FROM migratejournal") == [("it lives in another schema",)]


def test_the_schema_is_read_from_the_migrations_and_the_prefix_found(database_url: DatabaseUrl, folder: Path) -> None:
    by_hand(database_url, COLOR)
    found = runner.detect(target(database_url, folder))
    assert found.names == ("001_a", "002_color")
    assert found.unproven == ("003_data",)
    assert len(found.next_missing) == 1


def test_a_migration_of_data_is_proven_by_what_comes_after_it(database_url: DatabaseUrl, folder: Path) -> None:
    by_hand(database_url, COLOR, "CREATE INDEX any_name ON a (color)")
    assert runner.detect(target(database_url, folder)).names == ("001_a", "002_color", "003_data", "004_index")


def test_tables_of_other_programs_do_not_matter(database_url: DatabaseUrl, folder: Path) -> None:
    by_hand(database_url, COLOR, "CREATE TABLE theirs (id INTEGER)")
    assert runner.detect(target(database_url, folder)).names == ("001_a", "002_color")


def test_migrations_of_data_alone_are_proven_by_nothing(database_url: DatabaseUrl, tmp_path: Path) -> None:
    for name in ("001_a", "002_b"):
        (tmp_path / f"{name}.sql").write_text("SELECT 1")
    found = runner.detect(target(database_url, tmp_path))
    assert (found.names, found.unproven) == ((), ("001_a", "002_b"))


def test_detection_shows_the_one_command_and_records_only_with_a_yes(
    database_url: DatabaseUrl, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    by_hand(database_url, COLOR)
    words = ["--database-url", as_text(database_url), "--dir", str(folder), "resolve", "--detect"]
    assert main(words) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "The live schema has everything up to 002_color: 4 things were compared."
    assert said[1] == "003_data changes no table, so the schema can't show whether it ran."
    assert said[-1] == "  migrate resolve --applied 001_a 002_color"
    assert "migratehistory" not in tables(database_url)
    assert main([*words, "--yes"]) == 0
    assert applied(database_url) == ["001_a", "002_color"]
    assert main([*words[:4], "deploy"]) == 0


def test_on_an_empty_database_nothing_is_proven(
    database_url: DatabaseUrl, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--database-url", as_text(database_url), "--dir", str(folder), "resolve", "--detect", "--yes"]) == 0
    assert "does not prove that any migration was applied" in capsys.readouterr().out
    assert tables(database_url) == set()


def test_our_own_history_is_found_again_when_it_is_lost(service_database: DatabaseUrl) -> None:
    rows(service_database, "DROP TABLE migratehistory")
    found = runner.detect(target(service_database, OURS))
    assert len(found.names) == len(scan(OURS))
    runner.resolve(target(service_database, OURS), applied=found.names)
    assert runner.deploy(target(service_database, OURS)).done == ()


def everything(url: DatabaseUrl) -> object:
    if url.is_sqlite:
        return Path(url.name).read_bytes()
    objects = "SELECT relname, relfilenode FROM pg_class WHERE relnamespace::regnamespace::text !~ '^(pg_|information)'"
    return rows(url, f"{objects} ORDER BY 1"), rows(url, "SELECT nspname FROM pg_namespace ORDER BY 1")


def test_the_shadow_leaves_no_trace(service_database: DatabaseUrl) -> None:
    before = everything(service_database)
    assert len(shadow.snapshots(service_database, scan(OURS))) == len(scan(OURS)) + 1
    assert everything(service_database) == before


def test_the_shadow_is_the_live_schema(service_database: DatabaseUrl) -> None:
    live = connect(service_database)
    expected = shadow.snapshots(service_database, scan(OURS))[-1]
    assert diff(expected=expected, found=schema.take(live)) == []
    live.close()


def test_an_index_that_is_built_concurrently_has_its_place_in_the_shadow(
    postgresql_url: DatabaseUrl, folder: Path
) -> None:
    write(folder, "005_index", 'migrator.sql("CREATE INDEX CONCURRENTLY a_id ON a (id)")', top="atomic = False")
    assert "USING btree (id)" in shadow.snapshots(postgresql_url, scan(folder))[-1].tables["a"].indexes


def test_a_migration_that_needs_rows_is_named(database_url: DatabaseUrl, folder: Path) -> None:
    write(folder, "005_first", 'migrator.run(lambda: database.execute_sql("SELECT id FROM a").fetchone()[0])')
    with pytest.raises(BrokenScript, match="005_first"):
        shadow.snapshots(database_url, scan(folder))


def test_no_need_for_the_right_to_create_a_database(postgresql_url: DatabaseUrl, folder: Path) -> None:
    rows(postgresql_url, "DROP ROLE IF EXISTS plain_owner")
    rows(postgresql_url, "CREATE ROLE plain_owner LOGIN NOCREATEDB")
    rows(postgresql_url, f'GRANT CREATE ON DATABASE "{postgresql_url.name}" TO plain_owner')
    rows(postgresql_url, "GRANT ALL ON SCHEMA public TO plain_owner")
    plain = postgresql_url._replace(user="plain_owner")
    assert runner.deploy(target(plain, folder)).newest == "004_index"
    assert len(runner.detect(target(plain, folder)).names) == 4
    rows(postgresql_url, "DROP OWNED BY plain_owner CASCADE")
    rows(postgresql_url, "DROP ROLE plain_owner")


LISTS = """
migrator.sql('''
    CREATE TABLE a (
        id INTEGER PRIMARY KEY, state VARCHAR(10) CHECK (state IN ('new', 'it''s, well', 'old')),
        kind CHAR(1) CHECK (kind NOT IN ('x', 'y')), text TEXT CHECK (text IN ('a', 'b')));
    CREATE INDEX a_open ON a (id) WHERE state IN ('new', 'old');
    CREATE VIEW open AS SELECT id FROM a WHERE state IN ('new', 'old');
''')
"""
# As pg_dump does it: by what PostgreSQL says of each, which is not always what it says afterwards.
RESTORE = """
SELECT format('ALTER TABLE a DROP CONSTRAINT %I, ADD CONSTRAINT %1$I ', conname) || pg_get_constraintdef(oid)
FROM pg_constraint WHERE conrelid = 'a'::regclass AND contype = 'c'
UNION ALL SELECT 'DROP INDEX a_open; ' || pg_get_indexdef('a_open'::regclass)
UNION ALL SELECT 'CREATE OR REPLACE VIEW open AS ' || pg_get_viewdef('open'::regclass)
"""


def test_a_database_that_comes_from_a_dump_proves_as_much_as_the_one_that_was_dumped(
    postgresql_url: DatabaseUrl, tmp_path: Path
) -> None:
    folder = tmp_path / "migrations"
    write(folder, "001_a", LISTS)
    runner.deploy(target(postgresql_url, folder))
    dumped = rows(postgresql_url, RESTORE)
    for (statement,) in dumped:
        rows(postgresql_url, statement)
    assert rows(postgresql_url, RESTORE) != dumped, "else this test would say nothing"
    rows(postgresql_url, "DELETE FROM migratehistory")
    assert runner.resolve(target(postgresql_url, folder), applied=["001_a"])
