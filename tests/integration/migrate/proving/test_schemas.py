"""Migrations that make schemas of their own, on PostgreSQL: what they make there is proven like all else, in scratch
schemas, and what stands on our tables elsewhere is not lost without a word."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from service.migrate import runner
from service.migrate.connection import connect
from service.migrate.errors import BrokenScript, MigrationFailed, Unproven
from service.migrate.proving import verify
from service.migrate.proving.standing_in import StandIns
from service.url import DatabaseUrl
from tests.support.blockers import in_the_way
from tests.support.migrations import rows, target, write

REPORTS = """
CREATE SCHEMA IF NOT EXISTS reporting;
CREATE TYPE reporting.kind AS ENUM ('daily', 'monthly');
CREATE TABLE Reporting.months (
    id SERIAL PRIMARY KEY, a_id INTEGER REFERENCES a ON DELETE CASCADE, kind reporting.kind DEFAULT 'daily');
CREATE VIEW reporting.names AS SELECT id FROM public.a;
CREATE FUNCTION reporting.f() RETURNS BIGINT LANGUAGE sql SET search_path = reporting AS
    'SELECT count(*) FROM months JOIN "reporting".names USING (id)';
COMMENT ON SCHEMA reporting IS 'what people read';
"""
QUOTED = """
database.execute_sql('CREATE SCHEMA "Big Reports"')
migrator.sql('CREATE TABLE "Big Reports"."Years" (id INTEGER PRIMARY KEY)')
@migrator.create_model
class Week(pw.Model):
    class Meta:
        table_name, schema = "weeks", "Big Reports"
"""


@pytest.fixture
def folder(postgresql_url: DatabaseUrl, tmp_path: Path) -> Path:
    (tmp_path / "001_a.sql").write_text("CREATE TABLE a (id INTEGER PRIMARY KEY)")
    (tmp_path / "002_reports.sql").write_text(REPORTS)
    write(tmp_path, "003_quoted", QUOTED)
    (tmp_path / "004_more.sql").write_text("ALTER TABLE reporting.months ADD COLUMN note TEXT")
    runner.deploy(target(postgresql_url, tmp_path))
    return tmp_path


def test_what_they_make_there_is_compared(postgresql_url: DatabaseUrl, folder: Path) -> None:
    assert verify.verify(postgresql_url, folder).drift == ()
    assert runner.detect(target(postgresql_url, folder)).names[-1] == "004_more"
    rows(postgresql_url, 'ALTER TABLE reporting.months DROP COLUMN note; DROP TABLE "Big Reports".weeks')
    rows(postgresql_url, "ALTER TYPE reporting.kind ADD VALUE 'yearly'")
    assert verify.verify(postgresql_url, folder).drift == (
        'schema "Big Reports": table weeks is missing',
        "schema reporting: months: column note is missing",
        "schema reporting: type kind is ENUM ('daily', 'monthly', 'yearly'), expected ENUM ('daily', 'monthly')",
    )


def test_a_schema_that_is_missing_is_one_line(postgresql_url: DatabaseUrl, folder: Path) -> None:
    rows(postgresql_url, "DROP SCHEMA reporting CASCADE")
    assert verify.verify(postgresql_url, folder).drift == ("schema reporting is missing",)
    rows(postgresql_url, "DELETE FROM migratehistory")
    with pytest.raises(Unproven) as refusal:
        runner.resolve(target(postgresql_url, folder), applied=["001_a", "002_reports"])
    assert refusal.value.missing == ("schema reporting",)
    found = runner.detect(target(postgresql_url, folder))
    assert (found.names, found.next_missing) == (("001_a",), ("schema reporting",))


def test_a_table_that_is_missing_there_is_one_line_too(postgresql_url: DatabaseUrl, folder: Path) -> None:
    rows(postgresql_url, "DROP TABLE reporting.months")
    rows(postgresql_url, "DELETE FROM migratehistory")
    found = runner.detect(target(postgresql_url, folder))
    assert (found.names, found.next_missing) == (("001_a",), ("schema reporting: table months",))


def test_the_live_schemas_are_not_touched_meanwhile(postgresql_url: DatabaseUrl, folder: Path) -> None:
    """Somebody reads there all the time: a statement that wanted the table for itself would wait for ever."""
    again = f"DROP SCHEMA IF EXISTS reporting CASCADE; {REPORTS}; ALTER TABLE reporting.months ADD COLUMN note TEXT"
    (folder / "005_again.sql").write_text(f"-- touches: names months\n{again}")
    runner.deploy(target(postgresql_url, folder))
    schemas = "SELECT nspname FROM pg_namespace ORDER BY 1"
    before = rows(postgresql_url, schemas)
    reader = connect(postgresql_url)
    with reader.transaction():
        reader.execute('SELECT * FROM reporting.months, a, "Big Reports"."Years"')
        assert verify.verify(postgresql_url, folder).drift == ()
    reader.close()
    assert rows(postgresql_url, schemas) == before


def test_a_live_table_that_a_migration_names_is_not_waited_for(postgresql_url: DatabaseUrl, tmp_path: Path) -> None:
    """Behind a statement that waits for a reader, everybody else would wait too."""
    rows(postgresql_url, "CREATE SCHEMA elsewhere; CREATE TABLE elsewhere.b (id INTEGER)")
    (tmp_path / "001_a.sql").write_text("ALTER TABLE elsewhere.b ADD COLUMN IF NOT EXISTS name TEXT")
    runner.deploy(target(postgresql_url, tmp_path))
    with in_the_way(postgresql_url, "elsewhere.b"), pytest.raises(BrokenScript, match="try again when they are done"):
        verify.verify(postgresql_url, tmp_path)
    assert verify.verify(postgresql_url, tmp_path).drift == ()


@pytest.mark.parametrize(
    ("sql", "lost", "name"),
    [
        ("DELETE FROM a", "2 rows of reporting.months", "months"),
        ("DROP TABLE a CASCADE", "view reporting.names", "reporting.names"),
    ],
)
def test_what_is_lost_elsewhere_is_refused_too(
    postgresql_url: DatabaseUrl, folder: Path, sql: str, lost: str, name: str
) -> None:
    rows(postgresql_url, "INSERT INTO a VALUES (1), (2); INSERT INTO reporting.months (a_id) VALUES (1), (2)")
    (folder / "005_change.sql").write_text(sql)
    with pytest.raises(MigrationFailed) as failure:
        runner.deploy(target(postgresql_url, folder))
    assert failure.value.reason == f"this would be lost without having been declared: {lost}"
    (folder / "005_change.sql").write_text(f"-- touches: {name}\n{sql}")
    assert runner.deploy(target(postgresql_url, folder)).newest == "005_change"


EXTENSIONS = ("citext", "vector")  # the first that the server brings; the second comes with the tests' own


@pytest.fixture
def extension(postgresql_url: DatabaseUrl) -> str:
    there = {name for (name,) in rows(postgresql_url, "SELECT name FROM pg_available_extensions")}
    found = [name for name in EXTENSIONS if name in there]
    if not found:
        pytest.skip("this server brings no extension that makes a type")
    return found[0]


@pytest.mark.parametrize("how", ["IF NOT EXISTS {}", "{}", "{} WITH SCHEMA public", "{} SCHEMA tools"])
def test_an_extension_that_the_database_has_already_is_there_for_the_shadow_too(
    postgresql_url: DatabaseUrl, tmp_path: Path, extension: str, how: str
) -> None:
    kind = f"tools.{extension}" if "tools" in how else extension
    sql = f"CREATE SCHEMA tools; CREATE EXTENSION {how.format(extension)}; CREATE TABLE a (name {kind})"
    (tmp_path / "001_a.sql").write_text(sql)
    runner.deploy(target(postgresql_url, tmp_path))
    where = "SELECT extnamespace::regnamespace::text FROM pg_extension ORDER BY 1"
    before = rows(postgresql_url, where)
    assert verify.verify(postgresql_url, tmp_path).drift == ()
    assert runner.detect(target(postgresql_url, tmp_path)).names == ("001_a",)
    assert rows(postgresql_url, where) == before


def test_an_extension_of_somebody_else_stays_where_it_is(
    postgresql_url: DatabaseUrl, tmp_path: Path, extension: str
) -> None:
    rows(postgresql_url, "DROP ROLE IF EXISTS guest")
    rows(postgresql_url, f"CREATE EXTENSION {extension}; CREATE ROLE guest LOGIN; GRANT ALL ON SCHEMA public TO guest")
    rows(postgresql_url, f'GRANT CREATE ON DATABASE "{postgresql_url.name}" TO guest')
    guest = postgresql_url._replace(user="guest")
    (tmp_path / "001_a.sql").write_text(f"CREATE EXTENSION IF NOT EXISTS {extension}; CREATE TABLE a (id INTEGER)")
    runner.deploy(target(guest, tmp_path))
    assert verify.verify(guest, tmp_path).drift == ()
    rows(postgresql_url, "DROP OWNED BY guest CASCADE; DROP ROLE guest")


def test_an_extension_that_is_not_there_yet_is_made_in_the_shadow_alone(
    postgresql_url: DatabaseUrl, tmp_path: Path, extension: str
) -> None:
    (tmp_path / "001_a.sql").write_text(f"CREATE EXTENSION {extension}; CREATE TABLE a (name {extension})")
    assert runner.detect(target(postgresql_url, tmp_path)).next_missing == ("table a",)
    assert rows(postgresql_url, f"SELECT 1 FROM pg_extension WHERE extname = '{extension}'") == []


@pytest.mark.parametrize(
    ("sql", "moved"),
    [
        ("SELECT 'public', publication FROM republic.a", "SELECT 'public', publication FROM republic.a"),
        ('SELECT * FROM public.a, "public".b', 'SELECT * FROM MAIN.a, "MAIN".b'),
        ("SELECT nextval('public.s'::regclass)", "SELECT nextval('MAIN.s'::regclass)"),
        ("SET search_path = public, pg_catalog", "SET search_path = MAIN, pg_catalog"),
        ("GRANT USAGE ON SCHEMA public TO bob", "GRANT USAGE ON SCHEMA MAIN TO bob"),
        ("CREATE SCHEMA sales", "CREATE SCHEMA OTHER"),
        ("create schema if not exists Sales; CREATE TABLE SALES.b (id int)",
         "create schema if not exists OTHER; CREATE TABLE OTHER.b (id int)"),
        ("CREATE SCHEMA sales; DROP SCHEMA IF EXISTS sales", "CREATE SCHEMA OTHER; DROP SCHEMA IF EXISTS OTHER"),
        ("CREATE SCHEMA AUTHORIZATION bob", "CREATE SCHEMA AUTHORIZATION bob"),
        ('CREATE SCHEMA "two words"; DROP TABLE "two words".b', "CREATE SCHEMA OTHER; DROP TABLE OTHER.b"),
        ("SELECT sales FROM sales", "SELECT sales FROM sales"),
        ("CREATE INDEX CONCURRENTLY a_x ON public.a (x)", "CREATE INDEX  a_x ON MAIN.a (x)"),
    ],
)  # fmt: skip
def test_a_statement_that_says_where_is_moved(sql: str, moved: str) -> None:
    main, other = f"slipway_shadow_{os.getpid()}", f"slipway_shadow1_{os.getpid()}"
    assert StandIns("public").reword(sql) == moved.replace("MAIN", main).replace("OTHER", other)


def test_where_nothing_stands_in_nothing_is_moved() -> None:
    assert StandIns().reword("CREATE SCHEMA sales") == "CREATE SCHEMA sales"
