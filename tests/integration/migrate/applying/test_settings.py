"""What a migration sets for its session is over with it: search_path, role, pragmas, temporary tables."""

from __future__ import annotations

from pathlib import Path

import pytest

from service.migrate import runner
from service.migrate.errors import MigrationFailed
from service.migrate.proving import verify
from service.url import DatabaseUrl
from tests.support.migrations import applied, rows, table, target, write

# As pg_dump begins, and as it names things.
DUMP = """
SET statement_timeout = 0;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET row_security = off;
CREATE TYPE public.mood AS ENUM ('calm', 'cross');
CREATE TABLE public.bots (id integer NOT NULL, mood public.mood, note text DEFAULT 'none'::text);
CREATE SEQUENCE public.bots_id_seq AS integer;
ALTER TABLE ONLY public.bots ALTER COLUMN id SET DEFAULT nextval('public.bots_id_seq'::regclass);
ALTER TABLE ONLY public.bots ADD CONSTRAINT bots_pkey PRIMARY KEY (id);
CREATE INDEX bots_mood ON public.bots USING btree (mood);
"""


def schema_of(url: DatabaseUrl, name: str) -> str:
    return str(rows(url, "SELECT relnamespace::regnamespace::text FROM pg_class WHERE relname = ?", [name])[0][0])


def put(folder: Path, name: str, text: str) -> None:
    (folder / f"{name}.sql").write_text(text)


@pytest.mark.parametrize("how", ["SET search_path = other", "SET LOCAL search_path = other", "SET SCHEMA 'other'"])
def test_a_search_path_is_that_of_one_migration(postgresql_url: DatabaseUrl, tmp_path: Path, how: str) -> None:
    put(tmp_path, "001_a", f"CREATE SCHEMA other; {how}; CREATE TABLE a (id int)")
    put(tmp_path, "002_b", "CREATE TABLE b (id int)")
    runner.deploy(target(postgresql_url, tmp_path))
    found = [schema_of(postgresql_url, name) for name in ("a", "b", "migratehistory")]
    assert found == ["other", "public", "public"]


def test_and_of_one_rollback(postgresql_url: DatabaseUrl, tmp_path: Path) -> None:
    put(tmp_path, "001_a", "CREATE SCHEMA other; CREATE TABLE other.a (id int)")
    put(tmp_path, "001_a.down", "SET search_path = other; DROP TABLE a; DROP SCHEMA other")
    runner.deploy(target(postgresql_url, tmp_path))
    runner.rollback(target(postgresql_url, tmp_path), confirm=lambda _names: None)
    assert applied(postgresql_url) == []


def test_a_role_is_that_of_one_migration(postgresql_url: DatabaseUrl, tmp_path: Path) -> None:
    make = "CREATE ROLE somebody_else; GRANT CREATE, USAGE ON SCHEMA public TO somebody_else; SET ROLE somebody_else"
    put(tmp_path, "001_a", f"{make}; CREATE TABLE a (id int)")
    put(tmp_path, "002_b", "CREATE TABLE b (id int)")
    try:
        runner.deploy(target(postgresql_url, tmp_path))
        owners = dict(rows(postgresql_url, "SELECT tablename, tableowner FROM pg_tables WHERE tablename IN ('a', 'b')"))
        assert (owners["a"], owners["b"]) == ("somebody_else", postgresql_url.user)
    finally:
        rows(postgresql_url, "DROP OWNED BY somebody_else")
        rows(postgresql_url, "DROP ROLE somebody_else")


def test_what_the_driver_was_told_directly_is_over_too(postgresql_url: DatabaseUrl, tmp_path: Path) -> None:
    body = "database.cursor().execute(\"SET search_path = pg_catalog; SET timezone = 'Asia/Tokyo'\")"
    write(tmp_path, "001_a", body)
    write(tmp_path, "002_b", "migrator.sql(\"CREATE TABLE b AS SELECT current_setting('timezone') AS zone\")")
    expected = rows(postgresql_url, "SHOW timezone")
    runner.deploy(target(postgresql_url, tmp_path))
    assert (schema_of(postgresql_url, "b"), rows(postgresql_url, "SELECT zone FROM b")) == ("public", expected)


def test_a_step_of_many_may_not_lead_the_journal_astray(postgresql_url: DatabaseUrl, tmp_path: Path) -> None:
    put(tmp_path, "001_a", "-- atomic: false\nCREATE TABLE a (id int);\nSET search_path = pg_catalog;")
    with pytest.raises(MigrationFailed) as failure:
        runner.deploy(target(postgresql_url, tmp_path))
    assert "at 001_a.sql, line 3" in str(failure.value)
    assert (
        "Each step is committed with the runner's own entry, for which the search_path and the role have to stay: name "
        "the schema in each statement, or have the whole migration in one transaction"
    ) in str(failure.value)
    assert rows(postgresql_url, "SELECT to_regclass('a')") == [(None,)], "said before the first step"


def test_what_steps_set_is_over_after_the_last(postgresql_url: DatabaseUrl, tmp_path: Path) -> None:
    memory = "current_setting('maintenance_work_mem')"
    put(tmp_path, "001_a", f"-- atomic: false\nSET maintenance_work_mem = '77MB';\nCREATE TABLE a AS SELECT {memory};")
    put(tmp_path, "002_b", f"CREATE TABLE b AS SELECT {memory}")
    runner.deploy(target(postgresql_url, tmp_path))
    assert rows(postgresql_url, "SELECT * FROM a") == [("77MB",)]
    assert rows(postgresql_url, "SELECT * FROM b") != [("77MB",)]


def test_a_temporary_table_does_not_take_what_is_meant_for_another(database_url: DatabaseUrl, tmp_path: Path) -> None:
    put(tmp_path, "001_b", "CREATE TABLE b (id INTEGER)")
    put(tmp_path, "002_a", "CREATE TEMPORARY TABLE b AS SELECT 1 AS id")
    put(tmp_path, "003_c", "INSERT INTO b VALUES (7)")
    runner.deploy(target(database_url, tmp_path))
    assert rows(database_url, "SELECT id FROM b") == [(7,)]


def test_a_pragma_is_that_of_one_migration(sqlite_url: DatabaseUrl, tmp_path: Path) -> None:
    write(tmp_path, "001_a", f'migrator.sql("PRAGMA ignore_check_constraints = ON")\n{table("a", "n CHECK (n < 5)")}')
    write(tmp_path, "002_b", 'migrator.sql("INSERT INTO a (n) VALUES (9)")')
    with pytest.raises(MigrationFailed, match="CHECK constraint failed"):
        runner.deploy(target(sqlite_url, tmp_path))


def test_a_dump_is_a_migration_like_any_other(postgresql_url: DatabaseUrl, tmp_path: Path) -> None:
    put(tmp_path, "001_base", DUMP)
    put(tmp_path, "002_more", "ALTER TABLE bots ADD COLUMN age integer")
    runner.deploy(target(postgresql_url, tmp_path))
    found = verify.verify(postgresql_url, tmp_path)
    assert (found.drift, found.compared) == ((), 9)


def test_a_database_that_is_there_already_proves_its_own_dump(postgresql_url: DatabaseUrl, tmp_path: Path) -> None:
    rows(postgresql_url, DUMP)
    put(tmp_path, "001_base", DUMP)
    put(tmp_path, "002_more", "ALTER TABLE bots ADD COLUMN age integer")
    assert runner.detect(target(postgresql_url, tmp_path)).names == ("001_base",)
    runner.resolve(target(postgresql_url, tmp_path), applied=["001_base"])
    assert runner.deploy(target(postgresql_url, tmp_path)).newest == "002_more"


@pytest.mark.parametrize("path", ["SET search_path = public, pg_catalog", 'SET search_path TO "public"'])
def test_what_sets_the_live_schema_is_tried_in_the_scratch_one(
    postgresql_url: DatabaseUrl, tmp_path: Path, path: str
) -> None:
    put(tmp_path, "001_base", f"{path}; CREATE TABLE bots (id serial PRIMARY KEY, public integer)")
    runner.deploy(target(postgresql_url, tmp_path))
    assert verify.verify(postgresql_url, tmp_path).drift == ()


def test_a_schema_may_be_called_anything(postgresql_url: DatabaseUrl, tmp_path: Path) -> None:
    rows(postgresql_url, 'CREATE SCHEMA "My App"')
    rows(postgresql_url, f'ALTER DATABASE {postgresql_url.name} SET search_path = "My App"')
    put(tmp_path, "001_a", "CREATE TABLE a (id serial PRIMARY KEY, t text); CREATE VIEW v AS SELECT t FROM a")
    put(tmp_path, "002_i", "-- atomic: false\nCREATE INDEX CONCURRENTLY a_t ON a (t); REINDEX TABLE CONCURRENTLY a")
    write(tmp_path, "003_b", "migrator.sql('ALTER TABLE \"My App\".a ADD CHECK (t <> 1::text)')")
    runner.deploy(target(postgresql_url, tmp_path))
    assert verify.verify(postgresql_url, tmp_path).drift == ()


def test_what_one_migration_has_prepared_is_not_in_the_way_of_the_next(
    postgresql_url: DatabaseUrl, tmp_path: Path
) -> None:
    for name in ("001_a", "002_b"):
        put(tmp_path, name, f"PREPARE made AS SELECT 1; CREATE TABLE {name[4:]} (id INTEGER)")
    assert runner.deploy(target(postgresql_url, tmp_path)).newest == "002_b"


def test_what_is_prepared_twice_is_no_table_that_is_there_already(postgresql_url: DatabaseUrl, tmp_path: Path) -> None:
    put(tmp_path, "001_a", "PREPARE made AS SELECT 1; PREPARE made AS SELECT 2")
    with pytest.raises(MigrationFailed, match='prepared statement "made" already exists') as failure:
        runner.deploy(target(postgresql_url, tmp_path))
    assert str(failure.value).splitlines()[-1].startswith("It belongs to its session, and a pooler changes that ")


LOSES = "ALTER SCHEMA public RENAME TO old", "DROP SCHEMA IF EXISTS public CASCADE"
REFUSED = (
    "The schema public holds the runner's own tables, which it would not find any more. Rename it between two deploys, "
    "by hand, and have the role look there: `ALTER ROLE … SET search_path = …`"
)


@pytest.mark.parametrize("statement", LOSES)
@pytest.mark.parametrize("top", ["", "atomic = False"])
def test_the_schema_of_the_history_stays_where_the_runner_finds_it(
    postgresql_url: DatabaseUrl, tmp_path: Path, statement: str, top: str
) -> None:
    write(tmp_path, "001_a", f"{table('a')}\nmigrator.sql('{statement}')", top=top)
    with pytest.raises(MigrationFailed) as failure:
        runner.deploy(target(postgresql_url, tmp_path))
    assert str(failure.value).splitlines()[-3:-1] == [f"  running: {statement}", f"  reason: {REFUSED}"]
    assert applied(postgresql_url) == []
    write(tmp_path, "001_a", table("a" if not top else "b"), top=top)
    assert runner.deploy(target(postgresql_url, tmp_path)).newest == "001_a"


def test_the_history_comes_along_where_a_person_renames_its_schema(postgresql_url: DatabaseUrl, tmp_path: Path) -> None:
    put(tmp_path, "001_a", "CREATE TABLE a (id INT)")
    runner.deploy(target(postgresql_url, tmp_path))
    rows(postgresql_url, "ALTER SCHEMA public RENAME TO moved")
    rows(postgresql_url, f'ALTER DATABASE "{postgresql_url.name}" SET search_path = moved')
    assert runner.deploy(target(postgresql_url, tmp_path)).done == ()
    assert verify.verify(postgresql_url, tmp_path).drift == ()
