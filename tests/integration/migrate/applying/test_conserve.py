"""Nothing is lost that a migration does not speak of: the refusal lists it, and nothing has happened."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import peewee as pw
import pytest

from service.migrate import runner
from service.migrate.applying.adopted import adopt
from service.migrate.applying.conserve import Inventory, Thing, losses
from service.migrate.connection import connect
from service.migrate.errors import MigrationFailed
from service.url import DatabaseUrl
from tests.support.migrations import applied, rows, target, write

FAMILY = """
CREATE TABLE parents (id INTEGER PRIMARY KEY, name VARCHAR(20));
CREATE TABLE children (
    id INTEGER PRIMARY KEY, parent_id INTEGER NOT NULL REFERENCES parents (id) ON DELETE CASCADE, note TEXT
);
CREATE INDEX children_note ON children (note);
CREATE VIEW notes AS SELECT note FROM children;
INSERT INTO parents VALUES (1, 'a'), (2, 'b');
INSERT INTO children VALUES (1, 1, 'x'), (2, 1, NULL), (3, 2, 'ÿ');
"""
SQLITE_TRIGGER = "CREATE TRIGGER children_watch AFTER INSERT ON children BEGIN SELECT 1; END;"
POSTGRESQL_TRIGGER = """
CREATE FUNCTION watch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
CREATE TRIGGER children_watch AFTER INSERT ON children FOR EACH ROW EXECUTE FUNCTION watch();
"""


@pytest.fixture
def folder(database_url: DatabaseUrl, tmp_path: Path) -> Path:
    folder = tmp_path / "migrations"
    folder.mkdir()
    trigger = SQLITE_TRIGGER if database_url.is_sqlite else POSTGRESQL_TRIGGER
    (folder / "001_family.sql").write_text(FAMILY + trigger)
    runner.deploy(target(database_url, folder))
    return folder


def refused(url: DatabaseUrl, folder: Path, body: str, *, top: str = "") -> str:
    write(folder, "002_change", body, top=top)
    with pytest.raises(MigrationFailed) as failure:
        runner.deploy(target(url, folder))
    assert applied(url) == ["001_family"]
    assert rows(url, "SELECT count(*) FROM children") == [(3,)]
    return str(failure.value)


DELETE = 'migrator.sql("DELETE FROM parents WHERE id = 1")'


def test_rows_that_go_along_by_a_cascade_are_refused(postgresql_url: DatabaseUrl, tmp_path: Path) -> None:
    (tmp_path / "001_family.sql").write_text(FAMILY)
    runner.deploy(target(postgresql_url, tmp_path))
    said = refused(postgresql_url, tmp_path, DELETE)
    assert "this would be lost without having been declared: 2 rows of children" in said
    assert said.endswith('If that is meant, name it at the top of 002_change.py: touches = ["…"]')


@pytest.mark.parametrize(
    "body",
    [
        'database.cursor().execute("DELETE FROM children")',
        'database.connection().cursor().execute("DELETE FROM children")',
        """
        database.execute_sql("CREATE TABLE more (id INTEGER)")
        database.cursor().execute("DELETE FROM children")
        """,
    ],
)
def test_the_drivers_own_cursor_is_no_way_around_it(database_url: DatabaseUrl, folder: Path, body: str) -> None:
    assert "3 rows of children" in refused(database_url, folder, body)


@pytest.mark.parametrize(
    ("statement", "only_adds"),
    [
        ('CREATE TABLE "a" ("id" INTEGER PRIMARY KEY)', True),
        ("create unique index a_name on a (name) where name <> ''", True),
        ("ALTER TABLE a ADD COLUMN price VARCHAR(7) NOT NULL DEFAULT ''", True),
        ("ALTER TABLE a ADD CONSTRAINT b_fk FOREIGN KEY (b) REFERENCES b (id)", True),
        ("ALTER TABLE a ADD COLUMN b_id INTEGER DEFAULT 7 REFERENCES b (id)", False),
        ("CREATE TABLE a AS SELECT empty_the_table()", False),
        ("CREATE TABLE a (id INTEGER); DROP TABLE b", False),
        ("ALTER TABLE a ADD COLUMN x INTEGER, DROP COLUMN y", False),
        ("ALTER TABLE a DROP COLUMN y", False),
        ("UPDATE a SET x = 1", False),
        ("INSERT INTO a VALUES (1)", False),
    ],
)
def test_only_a_statement_that_adds_is_let_through_unwatched(
    sqlite_url: DatabaseUrl, statement: str, only_adds: bool
) -> None:
    database, looked = adopt(connect(sqlite_url)), []
    database.before_loss = lambda: looked.append(statement)
    with suppress(pw.DatabaseError):
        database.execute_sql(statement)
    assert bool(looked) != only_adds


def test_a_migration_that_means_it_says_so(postgresql_url: DatabaseUrl, tmp_path: Path) -> None:
    (tmp_path / "001_family.sql").write_text(FAMILY)
    runner.deploy(target(postgresql_url, tmp_path))
    write(tmp_path, "002_change", DELETE, top='touches = ["children"]')
    runner.deploy(target(postgresql_url, tmp_path))
    assert rows(postgresql_url, "SELECT count(*) FROM children") == [(1,)]


def test_a_truncated_table_that_was_not_named_is_noticed(postgresql_url: DatabaseUrl, tmp_path: Path) -> None:
    (tmp_path / "001_family.sql").write_text(FAMILY)
    runner.deploy(target(postgresql_url, tmp_path))
    said = refused(postgresql_url, tmp_path, 'migrator.sql("TRUNCATE parents CASCADE")')
    assert "the rows of children, which was truncated or rewritten" in said


PARTS = """
CREATE TABLE visits (id INTEGER, place TEXT, note TEXT) PARTITION BY RANGE (id);
CREATE TABLE visits_old PARTITION OF visits FOR VALUES FROM (0) TO (100) PARTITION BY RANGE (id);
CREATE TABLE first_visits PARTITION OF visits_old FOR VALUES FROM (0) TO (50);
CREATE TABLE others (id INTEGER);
CREATE TABLE others_today () INHERITS (others);
CREATE INDEX visits_place ON visits (place);
INSERT INTO visits VALUES (1, 'x', 'y');
INSERT INTO others_today VALUES (1);
"""


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM visits",
        "TRUNCATE visits",
        "ALTER TABLE visits ALTER COLUMN note TYPE VARCHAR(20)",
        "ALTER TABLE visits DROP COLUMN note",
        "DROP INDEX visits_place",
        "DROP TABLE visits",
        "DELETE FROM others",
    ],
)
def test_who_names_a_table_speaks_of_its_parts(postgresql_url: DatabaseUrl, tmp_path: Path, sql: str) -> None:
    (tmp_path / "001_parts.sql").write_text(PARTS)
    (tmp_path / "002_change.sql").write_text(sql)
    runner.deploy(target(postgresql_url, tmp_path))
    assert applied(postgresql_url) == ["001_parts", "002_change"]


def test_who_names_a_part_does_not_speak_of_another(postgresql_url: DatabaseUrl, tmp_path: Path) -> None:
    (tmp_path / "001_parts.sql").write_text(PARTS)
    (tmp_path / "002_change.sql").write_text("DO $$ BEGIN EXECUTE 'DELETE FROM vis' || 'its'; END $$; SELECT 'others'")
    with pytest.raises(MigrationFailed, match="1 row of first_visits"):
        runner.deploy(target(postgresql_url, tmp_path))


def test_a_view_that_goes_along_with_a_column_is_refused(postgresql_url: DatabaseUrl, tmp_path: Path) -> None:
    (tmp_path / "001_family.sql").write_text(FAMILY)
    runner.deploy(target(postgresql_url, tmp_path))
    said = refused(postgresql_url, tmp_path, 'migrator.sql("ALTER TABLE children DROP COLUMN note CASCADE")')
    assert "declared: view notes" in said


MOVE = """
migrator.sql('''
    CREATE TABLE replacement (id INTEGER PRIMARY KEY, parent_id INTEGER NOT NULL, note TEXT);
    INSERT INTO replacement SELECT id, parent_id, note FROM children;
    DROP VIEW notes;
    DROP TABLE children;
    ALTER TABLE replacement RENAME TO children;
    CREATE VIEW notes AS SELECT note FROM children;
''')
"""


def test_a_table_made_anew_by_hand_must_not_lose_its_index_trigger_and_key(
    database_url: DatabaseUrl, folder: Path
) -> None:
    said = refused(database_url, folder, MOVE)
    for lost in ("index children_note of children", "trigger children_watch of children", "foreign key "):
        assert lost in said


def test_it_may_when_it_names_them(database_url: DatabaseUrl, folder: Path) -> None:
    key = "(parent_id) to parents" if database_url.is_sqlite else "children_parent_id_fkey"
    write(folder, "002_change", MOVE, top=f"touches = ['children_note', 'children_watch', '{key}', 'children_pkey']")
    runner.deploy(target(database_url, folder))
    assert rows(database_url, "SELECT count(*) FROM notes") == [(3,)]


def test_rows_deleted_behind_the_runners_back_are_noticed(database_url: DatabaseUrl, folder: Path) -> None:
    body = "raw = database.connection().cursor()\nraw.execute('DELETE FROM children WHERE id = 3')"
    assert "1 row of children" in refused(database_url, folder, body)


@pytest.mark.parametrize(
    "body",
    [
        'migrator.sql("DROP INDEX children_note")',
        'migrator.sql("DELETE FROM children")',
        'migrator.sql("DROP VIEW notes")',
        'migrator.sql("ALTER TABLE parents RENAME TO people")',
        'migrator.sql("ALTER TABLE parents RENAME COLUMN name TO title")',
        "migrator.sql(\"UPDATE children SET note = 'y'\")",
    ],
)
def test_what_is_spoken_of_may_change(database_url: DatabaseUrl, folder: Path, body: str) -> None:
    write(folder, "002_change", body)
    assert runner.deploy(target(database_url, folder)).newest == "002_change"


BEFORE = Inventory(
    {"a": frozenset({"id", "x"}), "b": frozenset({"id"})},
    frozenset({Thing("index", "a_x", "a", frozenset({"x"})), Thing("view", "v")}),
    {"a": 3, "b": 1},
)


@pytest.mark.parametrize(
    ("after", "spoken_of", "lost"),
    [
        (BEFORE, set(), []),
        (Inventory(BEFORE.tables, BEFORE.things, {"a": 1, "b": 1}), set(), ["2 rows of a"]),
        (Inventory(BEFORE.tables, BEFORE.things, {"a": 1, "b": 1}), {"a"}, []),
        (Inventory(BEFORE.tables, BEFORE.things, {"a": 9, "b": 1}), set(), []),
        (Inventory(BEFORE.tables, frozenset(), BEFORE.rows), set(), ["index a_x of a", "view v"]),
        (Inventory(BEFORE.tables, frozenset(), BEFORE.rows), {"a_x", "v"}, []),
        (Inventory(BEFORE.tables, frozenset(), BEFORE.rows), {"a", "x"}, ["index a_x of a", "view v"]),
        (Inventory(BEFORE.tables | {"a": frozenset({"id"})}, frozenset(), BEFORE.rows), {"x", "v"}, []),
        (Inventory({"b": frozenset({"id"})}, frozenset(), {"b": 1}), {"a"}, ["view v"]),
        (Inventory({"a": BEFORE.tables["a"]}, BEFORE.things, {"a": 3}), set(), ["table b"]),
    ],
)
def test_what_counts_as_lost(after: Inventory, spoken_of: set[str], lost: list[str]) -> None:
    assert losses(BEFORE, after, spoken_of) == lost
