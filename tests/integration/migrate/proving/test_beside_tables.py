"""What stands beside the tables of a PostgreSQL database: functions, types, sequences, policies and rules. They are
proven, verified and kept as tables are. SQLite has none of them."""

from __future__ import annotations

import re
from pathlib import Path

import psycopg2
import pytest

from service.migrate import runner
from service.migrate.connection import connect
from service.migrate.errors import MigrationFailed, Unproven
from service.migrate.proving import schema, verify
from service.url import DatabaseUrl
from tests.support.migrations import rows, target

# A function says `public` where it means it, as one with the rights of its owner should.
RICH = """
CREATE TYPE mood AS ENUM ('sad', 'it''s fine');
CREATE DOMAIN email AS VARCHAR(254) NOT NULL CHECK (VALUE LIKE '%@%');
CREATE DOMAIN bright AS mood;
CREATE TYPE pair AS (a INTEGER, b TEXT);
CREATE TYPE span AS RANGE (SUBTYPE = float8);
CREATE SEQUENCE order_numbers START 1000;
CREATE TABLE a (
    id INTEGER GENERATED ALWAYS AS IDENTITY PRIMARY KEY, mood mood, owner email, number BIGINT DEFAULT
    nextval('order_numbers'), serial SERIAL);
CREATE FUNCTION forbid() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'no';
END $$;
CREATE FUNCTION count_a(above INTEGER = 0) RETURNS BIGINT LANGUAGE sql SECURITY DEFINER SET search_path = public AS
    'SELECT count(*) FROM public.a JOIN "public"."a" b USING (id) WHERE id > above';
CREATE FUNCTION of_pair(pair) RETURNS INTEGER LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION allowed() RETURNS BOOLEAN LANGUAGE sql AS 'SELECT true';
CREATE PROCEDURE tidy() LANGUAGE sql AS 'DELETE FROM a';
CREATE AGGREGATE total(INTEGER) (SFUNC = int4pl, STYPE = INTEGER);
CREATE TRIGGER a_fixed BEFORE UPDATE ON a FOR EACH ROW EXECUTE FUNCTION forbid();
ALTER TABLE a ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON a FOR SELECT USING (allowed());
CREATE RULE a_stays AS ON DELETE TO a DO INSTEAD NOTHING;
"""


@pytest.fixture
def folder(postgresql_url: DatabaseUrl, tmp_path: Path) -> Path:
    (tmp_path / "001_rich.sql").write_text(RICH)
    runner.deploy(target(postgresql_url, tmp_path))
    return tmp_path


def drift(url: DatabaseUrl, folder: Path, *changes: str) -> tuple[str, ...]:
    for change in changes:
        rows(url, change)
    return verify.verify(url, folder).drift


def test_all_of_it_is_the_same_in_the_shadow(postgresql_url: DatabaseUrl, folder: Path) -> None:
    found = verify.verify(postgresql_url, folder)
    assert (found.drift, found.repair) == ((), ())
    live = connect(postgresql_url)
    assert sorted(schema.take(live).things) == [
        "aggregate total(integer)",
        "domain bright",
        "domain email",
        "function allowed()",
        "function count_a(integer)",
        "function forbid()",
        "function of_pair(pair)",
        "procedure tidy()",
        "sequence order_numbers",
        "type mood",
        "type pair",
        "type span",
    ]
    live.close()


EMPTIED = "CREATE OR REPLACE FUNCTION forbid() RETURNS trigger LANGUAGE plpgsql AS $$\nBEGIN\n    RETURN NEW;\nEND $$"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (EMPTIED, "function forbid() differs: RETURN NEW;, expected RAISE EXCEPTION 'no';"),
        ("DROP AGGREGATE total(INTEGER)", "aggregate total(integer) is missing"),
        ("ALTER TYPE mood ADD VALUE 'glad' BEFORE 'sad'", "type mood is ENUM ('glad', 'sad', 'it''s"),
        ("ALTER DOMAIN email DROP NOT NULL", "domain email is character varying(254) CHECK ("),
        ("ALTER TYPE pair ADD ATTRIBUTE c text", "type pair is (a integer, b text, c text), expected"),
        ("ALTER SEQUENCE order_numbers INCREMENT 2 CYCLE", "sequence order_numbers is bigint INCREMENT BY 2"),
        ("CREATE FUNCTION theirs() RETURNS int LANGUAGE sql AS 'SELECT 1'", "function theirs() is not expected"),
        ("ALTER TABLE a DISABLE ROW LEVEL SECURITY", "a: row security enabled is missing"),
        ("DROP POLICY own ON a", "a: policy own AS PERMISSIVE FOR SELECT TO public USING (allowed()) is missing"),
        ("DROP RULE a_stays ON a", "a: rule CREATE RULE a_stays AS"),
        ("ALTER TABLE a ALTER number SET DEFAULT 7", "a: column number is bigint DEFAULT 7, expected"),
        ("ALTER TABLE a ALTER id DROP IDENTITY", "a: column id is integer NOT NULL, expected"),
    ],
)  # fmt: skip
def test_drift_beside_the_tables_is_told(postgresql_url: DatabaseUrl, folder: Path, change: str, told: str) -> None:
    (line,) = drift(postgresql_url, folder, change)
    assert line.startswith(told)


def test_a_trigger_that_is_switched_off_is_not_the_trigger(postgresql_url: DatabaseUrl, folder: Path) -> None:
    missing, extra = drift(postgresql_url, folder, "ALTER TABLE a DISABLE TRIGGER a_fixed")
    assert missing.startswith("a: trigger CREATE TRIGGER a_fixed ")
    assert extra.endswith(" -- disabled is not expected")


def test_an_emptied_function_is_no_proof(postgresql_url: DatabaseUrl, folder: Path) -> None:
    rows(postgresql_url, EMPTIED)
    rows(postgresql_url, "DELETE FROM migratehistory")
    with pytest.raises(Unproven) as refusal:
        runner.resolve(target(postgresql_url, folder), applied=["001_rich"])
    (missing,) = refusal.value.missing
    assert missing.startswith("function forbid() CREATE OR REPLACE FUNCTION public.forbid() RETURNS trigger ")
    assert "\n" not in missing
    assert runner.detect(target(postgresql_url, folder)).names == ()


def test_a_function_that_a_migration_replaces_is_proven_by_its_new_text(
    postgresql_url: DatabaseUrl, folder: Path
) -> None:
    (folder / "002_allow.sql").write_text(EMPTIED)
    assert runner.detect(target(postgresql_url, folder)).names == ("001_rich",)
    rows(postgresql_url, EMPTIED)
    assert runner.detect(target(postgresql_url, folder)).names == ("001_rich", "002_allow")


def test_what_is_missing_is_added_again_as_it_was(postgresql_url: DatabaseUrl, folder: Path) -> None:
    rows(postgresql_url, "ALTER TABLE a DISABLE ROW LEVEL SECURITY")
    for thing in ("TYPE span", "DOMAIN email", "SEQUENCE order_numbers", "FUNCTION forbid", "FUNCTION count_a"):
        rows(postgresql_url, f"DROP {thing} CASCADE")
    found = verify.verify(postgresql_url, folder)
    verify.repair(postgresql_url, found.repair)
    left = verify.verify(postgresql_url, folder).drift
    assert [line.partition(",")[0] for line in left] == [
        "a: column number is bigint",
        "a: row security enabled is missing",
    ]
    with pytest.raises(psycopg2.DatabaseError, match="no"):
        rows(postgresql_url, "INSERT INTO a (owner) VALUES ('a@b'); UPDATE a SET mood = 'sad'")


def test_the_functions_of_an_extension_are_its_own(postgresql_url: DatabaseUrl, folder: Path) -> None:
    extensions = {name for (name,) in rows(postgresql_url, "SELECT name FROM pg_available_extensions")}
    extension = next((name for name in ("citext", "vector") if name in extensions), "")
    if not extension:
        pytest.skip("this server brings no extension that makes types and functions")
    assert drift(postgresql_url, folder, f"CREATE EXTENSION {extension}") == ()


SWEEP = """
CREATE SEQUENCE numbers;
CREATE PROCEDURE sweep() LANGUAGE plpgsql AS $$ BEGIN
    DROP AGGREGATE total(INTEGER); DROP ROUTINE tidy; DROP RULE a_stays ON a; DROP SEQUENCE numbers; DROP TYPE span;
END $$;
"""


@pytest.mark.parametrize(
    ("sql", "lost"),
    [
        ("DROP TYPE mood CASCADE", "domain bright"),
        ("DROP DOMAIN email CASCADE", "column owner of a"),
        ("DROP TYPE pair CASCADE", "function of_pair(pair)"),
        ("DROP FUNCTION allowed CASCADE", "policy own of a"),
        ("CALL sweep()", "aggregate total(integer), procedure tidy(), rule a_stays of a, sequence numbers, type span"),
    ],
)
def test_what_goes_along_without_a_word_is_refused(
    postgresql_url: DatabaseUrl, folder: Path, sql: str, lost: str
) -> None:
    rows(postgresql_url, SWEEP)
    (folder / "002_change.sql").write_text(sql)
    with pytest.raises(MigrationFailed) as failure:
        runner.deploy(target(postgresql_url, folder))
    assert failure.value.reason == f"this would be lost without having been declared: {lost}"
    names = re.findall(r"\w+(?=[,(]|$| of )", lost)
    (folder / "002_change.sql").write_text(f"-- touches: {' '.join(names)}\n{sql}")
    assert runner.deploy(target(postgresql_url, folder)).newest == "002_change"
