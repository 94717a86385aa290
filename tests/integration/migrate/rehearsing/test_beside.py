"""What a rehearsal on PostgreSQL says of tables that are in use, and what it does not do to them."""

from __future__ import annotations

from pathlib import Path

import pytest

from service.migrate import rehearsal, runner
from service.migrate.cli import main
from service.migrate.connection import connect
from service.migrate.errors import Refused
from service.migrate.rehearsal import Statement
from service.url import DatabaseUrl
from tests.support.migrations import rows, table, target, write
from tests.support.pgbouncer import pgbouncer
from tests.support.processes import as_text, eventually

LIVE = "CREATE TABLE chatbots (id INTEGER PRIMARY KEY); CREATE TABLE messages (id INTEGER PRIMARY KEY, n INTEGER)"
BRIEFLY = ("Nobody reads or writes messages for a moment.",)


@pytest.fixture
def folder(postgresql_url: DatabaseUrl, tmp_path: Path) -> Path:
    """With one migration, applied."""
    folder = tmp_path / "migrations"
    put(folder, "001_live", LIVE)
    runner.deploy(target(postgresql_url, folder))
    return folder


def put(folder: Path, name: str, sql: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.sql").write_text(sql)


def statements(url: DatabaseUrl, folder: Path) -> list[Statement]:
    return [each for part in rehearsal.rehearse(url, folder).pending for each in part.statements]


def notes(url: DatabaseUrl, folder: Path) -> list[tuple[str, ...]]:
    return [each.notes for each in statements(url, folder)]


def filled(url: DatabaseUrl, count: int) -> None:
    rows(url, f"INSERT INTO messages SELECT n, n FROM generate_series(1, {count}) n")
    rows(url, "ANALYZE messages")


LONG = "messages (about 100,000 rows, 3 MB): nobody reads or writes messages until the migration ends"
SLOW = 'through a large table that is in use: see "Will it hold anybody up?" in docs/migrations.md'


def test_a_person_reads_below_a_statement_whom_it_keeps_waiting(
    postgresql_url: DatabaseUrl, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    filled(postgresql_url, 100_000)
    body = (
        f"{table('plain')}\nmigrator.sql('ALTER TABLE messages ADD COLUMN size INTEGER')\n"
        "migrator.sql('UPDATE messages SET size = %s', 7)"
    )
    write(folder, "002_more", body)
    assert main(["--database-url", as_text(postgresql_url), "--dir", str(folder), "deploy", "--dry-run"]) == 0
    assert capsys.readouterr().out == (
        f"A deploy would apply 1 migration to {postgresql_url}:\n"
        "\n"
        "002_more, in one transaction\n"
        "  CREATE TABLE plain (id INTEGER PRIMARY KEY);\n"
        "  ALTER TABLE messages ADD COLUMN size INTEGER;\n"
        "  -- Nobody reads or writes messages until the migration ends; what follows takes long.\n"
        "  UPDATE messages SET size = %s;\n"
        f"  -- Reads all of {LONG}.\n"
        "  -- `migrator.backfill` changes the rows in batches, each committed on its own, with `atomic = False`.\n"
        "\n"
        f"1 statement works {SLOW}.\n"
        "Nothing was changed. This ran on empty tables: what a migration does row by row is not among it.\n"
    )


@pytest.mark.parametrize(
    ("statement", "reads"),
    [
        ("ALTER TABLE messages ADD CHECK (n > 0)", True),
        ("ALTER TABLE messages ADD CHECK (n > 0) NOT VALID", False),
        ("ALTER TABLE messages ALTER n SET NOT NULL", True),
        ("ALTER TABLE messages ALTER id SET NOT NULL", False),
        ("ALTER TABLE messages ADD FOREIGN KEY (n) REFERENCES chatbots (id)", True),
        ("CREATE INDEX messages_n ON messages (n)", True),
        ("UPDATE messages SET n = 1", True),
        ("UPDATE messages SET n = 1 WHERE id = 5", False),
        ("DELETE FROM messages WHERE id < 5 OR id > 7", False),
        ("TRUNCATE messages", False),
    ],
)
def test_whether_all_of_a_table_is_read_is_seen(
    postgresql_url: DatabaseUrl, folder: Path, statement: str, reads: bool
) -> None:
    put(folder, "002_more", statement)
    (found,) = statements(postgresql_url, folder)
    (touch,) = [touch for touch in found.tables if touch.table == "messages"]
    assert (touch.reads, touch.rewrites) == (reads, False)


@pytest.mark.parametrize(
    ("statement", "slow"),
    [
        ("CREATE INDEX messages_n ON messages (n)", 1),
        ("ALTER TABLE messages VALIDATE CONSTRAINT later", 0),
        ("ALTER TABLE messages ADD COLUMN size INTEGER", 0),
    ],
)
def test_so_many_are_slow_as_are_told_to_be(
    postgresql_url: DatabaseUrl, folder: Path, statement: str, slow: int
) -> None:
    filled(postgresql_url, 100_000)
    put(folder, "002_more", "ALTER TABLE messages ADD CONSTRAINT later CHECK (n > 0) NOT VALID")
    put(folder, "003_more", statement)
    assert rehearsal.rehearse(postgresql_url, folder).slow == slow


def test_what_an_earlier_migration_locks_hides_nothing_of_the_next(postgresql_url: DatabaseUrl, folder: Path) -> None:
    for number in (2, 3):
        put(folder, f"00{number}_more", f"ALTER TABLE messages ADD COLUMN size{number} INTEGER")
    assert notes(postgresql_url, folder) == [BRIEFLY, BRIEFLY]


def test_a_table_stays_in_use_under_its_new_name_and_a_new_one_is_not(
    postgresql_url: DatabaseUrl, folder: Path
) -> None:
    put(folder, "002_name", "ALTER TABLE messages RENAME TO posts")
    put(folder, "003_more", "ALTER TABLE posts ADD COLUMN size INTEGER; CREATE TABLE messages (id INTEGER)")
    put(folder, "004_more", "ALTER TABLE messages ADD COLUMN size INTEGER")
    assert notes(postgresql_url, folder) == [BRIEFLY, ("Nobody reads or writes posts for a moment.",), (), ()]


def test_an_index_that_is_built_beside_others_keeps_nobody_waiting(postgresql_url: DatabaseUrl, folder: Path) -> None:
    put(folder, "002_i", "-- atomic: false\nCREATE INDEX CONCURRENTLY i ON messages (n); DROP INDEX i; VACUUM messages")
    out = ("What this locks could not be tried: it runs outside of any transaction.",)
    assert notes(postgresql_url, folder) == [(), BRIEFLY, out]


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        (
            "CREATE TRIGGER t BEFORE INSERT ON messages EXECUTE FUNCTION f()",
            "function f() does not exist",
        ),
        ("ALTER TABLE public.messages ADD FOREIGN KEY (n) REFERENCES more.x (id)", 'schema "more" does not exist'),
    ],
)
def test_what_can_not_be_seen_is_not_passed_over(
    postgresql_url: DatabaseUrl, folder: Path, statement: str, reason: str
) -> None:
    made = "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'"
    put(folder, "002_more", f"{made}; CREATE SCHEMA more; CREATE TABLE more.x (id INTEGER PRIMARY KEY); {statement}")
    assert notes(postgresql_url, folder)[-1] == (f"What this locks could not be tried: {reason}.",)


def test_of_a_new_table_it_need_not_be_seen(postgresql_url: DatabaseUrl, folder: Path) -> None:
    put(folder, "002_more", "CREATE TABLE new (id INTEGER REFERENCES messages (id)); ALTER TABLE new SET UNLOGGED")
    put(folder, "003_more", "ALTER TABLE messages SET UNLOGGED")
    found = notes(postgresql_url, folder)
    assert found[:-1] == [("Nobody writes messages for a moment.",), ()]
    assert found[-1][0].startswith("What this locks could not be tried: cannot change logged status of table")


def test_through_a_pooler_nobody_looks(postgresql_url: DatabaseUrl, folder: Path) -> None:
    put(folder, "002_more", "ALTER TABLE messages ADD COLUMN size INTEGER; CREATE TABLE plain (id INTEGER)")
    with pgbouncer(postgresql_url) as url:
        found, plain = notes(url, folder)
    reason = "a pooler stands before the database, and its sessions are not ours"
    assert (found, plain) == ((f"What this locks could not be tried: {reason}.",), ())


def test_who_may_not_make_temporary_tables_is_told_so(postgresql_url: DatabaseUrl, folder: Path) -> None:
    name, role = postgresql_url.name, f"{postgresql_url.name}_plain"
    rows(postgresql_url, f"CREATE ROLE {role} LOGIN; GRANT CREATE ON DATABASE {name} TO {role}")
    rows(
        postgresql_url,
        f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}; REVOKE TEMP ON DATABASE {name} FROM PUBLIC",
    )
    put(folder, "002_more", "ALTER TABLE messages ADD COLUMN size INTEGER")
    try:
        ((said,),) = notes(postgresql_url._replace(user=role), folder)
    finally:
        rows(postgresql_url, f"GRANT TEMP ON DATABASE {name} TO PUBLIC; DROP OWNED BY {role}; DROP ROLE {role}")
    assert (
        said
        == f'What this locks could not be tried: permission denied to create temporary tables in database "{name}".'
    )


def test_a_table_that_somebody_has_locked_is_not_waited_for(postgresql_url: DatabaseUrl, folder: Path) -> None:
    filled(postgresql_url, 9)
    put(folder, "002_more", "ALTER TABLE messages ADD COLUMN size INTEGER")
    other = connect(postgresql_url)
    other.execute("BEGIN; LOCK TABLE messages IN ACCESS EXCLUSIVE MODE")
    (found,) = statements(postgresql_url, folder)
    other.close()
    assert [(touch.lock, touch.rows) for touch in found.tables] == [("ACCESS EXCLUSIVE", 9)]


def test_nothing_of_it_stays(postgresql_url: DatabaseUrl, folder: Path) -> None:
    put(folder, "002_more", "ALTER TABLE messages ADD COLUMN size INTEGER")
    assert notes(postgresql_url, folder) == [BRIEFLY]
    sessions = "SELECT 1 FROM pg_stat_activity WHERE application_name LIKE 'slipway-migrate-beside%'"
    eventually(lambda: not rows(postgresql_url, sessions))
    left = "SELECT relname FROM pg_class WHERE relpersistence = 't' OR relname = 'size'"
    assert rows(postgresql_url, left) == []


@pytest.mark.parametrize("is_new", [True, False])
@pytest.mark.parametrize("statement", ["ALTER SCHEMA public RENAME TO old", "DROP SCHEMA IF EXISTS public CASCADE"])
def test_the_schema_of_the_history_stays_where_the_runner_finds_it(
    postgresql_url: DatabaseUrl, tmp_path: Path, statement: str, is_new: bool
) -> None:
    if not is_new:
        put(tmp_path, "001_live", LIVE)
        runner.deploy(target(postgresql_url, tmp_path))
    write(tmp_path, "002_a", f"{table('a')}\nmigrator.sql('{statement}')")
    with pytest.raises(Refused) as refused:
        rehearsal.rehearse(postgresql_url, tmp_path)
    assert str(refused.value) == (
        "002_a.py would be refused. The schema public holds the runner's own tables, which it would not find any more. "
        "Rename it between two deploys, by hand, and have the role look there: `ALTER ROLE … SET search_path = …`."
    )
