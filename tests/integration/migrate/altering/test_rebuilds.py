"""What stock peewee-migrate loses on SQLite, kept: each test fails there."""

from __future__ import annotations

from pathlib import Path

import pytest

from service.migrate import runner
from service.migrate.errors import MigrationFailed
from service.url import DatabaseUrl
from tests.support.migrations import rows, target, write

FAMILY = """
@migrator.create_model
class Parent(pw.Model):
    name = pw.CharField(null=True)
    class Meta:
        table_name = "parents"

@migrator.create_model
class Child(pw.Model):
    parent = pw.ForeignKeyField(Parent, on_delete="CASCADE")
    class Meta:
        table_name = "children"
"""
INSERT = "INSERT INTO parents (name) VALUES ('a'), ('b'); INSERT INTO children (parent_id) VALUES (1), (1), (2)"


@pytest.fixture
def family(sqlite_url: DatabaseUrl, tmp_path: Path) -> Path:
    """Two parents with three children that would go with them."""
    folder = tmp_path / "migrations"
    write(folder, "001_family", FAMILY)
    runner.deploy(target(sqlite_url, folder))
    for statement in INSERT.split(";"):
        rows(sqlite_url, statement)
    return folder


@pytest.mark.parametrize(
    "change",
    [
        'migrator.add_not_null("parents", "name")',
        'migrator.change_fields("parents", name=pw.TextField())',
        'migrator.add_fields("parents", age=pw.IntegerField(default=lambda: 7))',
        'migrator.add_fields("parents", age=pw.IntegerField(default=7))',
        'migrator.remove_fields("parents", "name")',
        'migrator.add_default("parents", "name", "x")',
        'migrator.add_constraint("parents", "named", pw.SQL("CHECK (length(name) > 0)"))',
    ],
)
def test_children_survive_when_their_parents_table_is_rebuilt(
    sqlite_url: DatabaseUrl, family: Path, change: str
) -> None:
    write(family, "002_change", change)
    runner.deploy(target(sqlite_url, family))
    assert rows(sqlite_url, "SELECT count(*) FROM children") == [(3,)]
    assert rows(sqlite_url, "PRAGMA foreign_key_check") == []


def test_rows_without_a_parent_are_refused_before_the_commit(sqlite_url: DatabaseUrl, family: Path) -> None:
    write(family, "002_delete", 'migrator.sql("DELETE FROM parents WHERE id = 1")')
    with pytest.raises(
        MigrationFailed, match=r"rows would point to rows that are not there \(2 of children to parents\)"
    ):
        runner.deploy(target(sqlite_url, family))
    assert rows(sqlite_url, "SELECT count(*) FROM parents") == [(2,)]


def test_a_new_column_may_not_point_to_rows_that_are_not_there(sqlite_url: DatabaseUrl, family: Path) -> None:
    write(
        family, "002_add", 'migrator.sql("ALTER TABLE parents ADD COLUMN x INTEGER DEFAULT 7 REFERENCES parents (id)")'
    )
    with pytest.raises(MigrationFailed, match=r"rows that are not there \(2 of parents to parents\)"):
        runner.deploy(target(sqlite_url, family))


RICH = """
CREATE TABLE rich (
    id INTEGER PRIMARY KEY AUTOINCREMENT, -- the key, as ever
    label TEXT DEFAULT 'two  spaces, (and a comma', /* kept */
    price INTEGER not null CHECK (price > 0 AND price IS NOT NULL),
    note TEXT,
    doubled INTEGER AS (price * 2) STORED,
    CONSTRAINT cheap CHECK (price < 1000)
) STRICT;
CREATE INDEX rich_partial ON rich (label) WHERE price > 10;
CREATE UNIQUE INDEX rich_expression ON rich (lower(label));
CREATE INDEX rich_note ON rich (note);
CREATE TABLE log (text TEXT);
CREATE TRIGGER rich_insert AFTER INSERT ON rich BEGIN INSERT INTO log VALUES ('rich; ' || NEW.label); END;
CREATE VIEW cheap_ones AS SELECT label FROM rich WHERE price < 10;
INSERT INTO rich (id, label, price) VALUES (1, 'one', 5), (40, 'forty', 50);
DELETE FROM rich WHERE id = 40;
"""


@pytest.fixture
def rich(sqlite_url: DatabaseUrl, tmp_path: Path) -> Path:
    (tmp_path / "001_rich.sql").write_text(RICH)
    runner.deploy(target(sqlite_url, tmp_path))
    return tmp_path


def definition(url: DatabaseUrl) -> str:
    return str(rows(url, "SELECT sql FROM sqlite_master WHERE name = 'rich'")[0][0])


def names(url: DatabaseUrl) -> set[str]:
    return {row[0] for row in rows(url, "SELECT name FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'")}


def rebuild_with(url: DatabaseUrl, folder: Path, operation: str) -> None:
    body = f"migrator.__ops__.append(migrator.__migrator__.{operation})"
    write(folder, "002_change", body)
    runner.deploy(target(url, folder))


def test_a_rebuild_keeps_every_word_that_it_does_not_change(sqlite_url: DatabaseUrl, rich: Path) -> None:
    before, kept = definition(sqlite_url), names(sqlite_url)
    rebuild_with(sqlite_url, rich, 'add_not_null("rich", "label")')
    expected = before.replace("'two  spaces, (and a comma'", "'two  spaces, (and a comma' NOT NULL")
    assert definition(sqlite_url).split("(", 1)[1] == expected.split("(", 1)[1]
    assert kept <= names(sqlite_url)
    assert rows(sqlite_url, "SELECT label, doubled FROM rich") == [("one", 10)]
    assert rows(sqlite_url, "SELECT label FROM cheap_ones") == [("one",)]


def test_a_table_without_rowid_stays_one(sqlite_url: DatabaseUrl, tmp_path: Path) -> None:
    (tmp_path / "001_rich.sql").write_text("CREATE TABLE rich (id TEXT PRIMARY KEY, n INTEGER) WITHOUT ROWID, STRICT;")
    runner.deploy(target(sqlite_url, tmp_path))
    rebuild_with(sqlite_url, tmp_path, 'add_not_null("rich", "n")')
    assert definition(sqlite_url).endswith(") WITHOUT ROWID, STRICT")


def test_after_a_rebuild_triggers_fire_and_keys_go_on_where_they_were(sqlite_url: DatabaseUrl, rich: Path) -> None:
    rebuild_with(sqlite_url, rich, 'set_default("rich", "note", "\'n\'")')
    rows(sqlite_url, "INSERT INTO rich (label, price) VALUES ('new', 6)")
    assert rows(sqlite_url, "SELECT id, note FROM rich WHERE label = 'new'") == [(41, "n")]
    assert rows(sqlite_url, "SELECT text FROM log ORDER BY rowid DESC LIMIT 1") == [("rich; new",)]


def test_not_null_goes_where_it_is_a_clause_and_stays_inside_a_check(sqlite_url: DatabaseUrl, rich: Path) -> None:
    rebuild_with(sqlite_url, rich, 'drop_not_null("rich", "price")')
    assert "CHECK (price > 0 AND price IS NOT NULL)" in definition(sqlite_url)
    assert "not null CHECK" not in definition(sqlite_url)


def test_a_dropped_column_takes_its_own_index_along_and_no_other(sqlite_url: DatabaseUrl, rich: Path) -> None:
    rebuild_with(sqlite_url, rich, 'drop_column("rich", "note")')
    assert names(sqlite_url) & {"rich_partial", "rich_expression", "rich_note"} == {"rich_partial", "rich_expression"}


def test_a_constraint_can_be_dropped_by_its_name(sqlite_url: DatabaseUrl, rich: Path) -> None:
    rebuild_with(sqlite_url, rich, 'drop_constraint("rich", "cheap")')
    rows(sqlite_url, "INSERT INTO rich (label, price) VALUES ('dear', 5000)")
    assert rows(sqlite_url, "SELECT price FROM rich WHERE label = 'dear'") == [(5000,)]


def test_a_column_that_is_still_needed_is_not_dropped(sqlite_url: DatabaseUrl, rich: Path) -> None:
    with pytest.raises(MigrationFailed, match="no such column: price"):
        rebuild_with(sqlite_url, rich, 'drop_column("rich", "price")')
    assert rows(sqlite_url, "SELECT price FROM rich") == [(5,)]


ADD_KEY = 'migrator.add_fields("parents", best=pw.ForeignKeyField(migrator.orm["children"], null=True, backref="+"))'


def test_a_foreign_key_can_be_added_and_rolled_back(sqlite_url: DatabaseUrl, family: Path) -> None:
    write(family, "002_best", ADD_KEY, 'migrator.remove_fields("parents", "best")')
    runner.deploy(target(sqlite_url, family))
    runner.rollback(target(sqlite_url, family), confirm=lambda _names: None)
    assert [row[1] for row in rows(sqlite_url, "PRAGMA table_info(parents)")] == ["id", "name"]
    assert rows(sqlite_url, "SELECT count(*) FROM children") == [(3,)]


def test_a_foreign_keys_action_can_be_changed(sqlite_url: DatabaseUrl, family: Path) -> None:
    body = (
        'migrator.change_fields("children", parent=pw.ForeignKeyField(migrator.orm["parents"], on_delete="RESTRICT"))'
    )
    write(family, "002_restrict", body)
    runner.deploy(target(sqlite_url, family))
    assert [row[6] for row in rows(sqlite_url, "PRAGMA foreign_key_list(children)")] == ["RESTRICT"]


def test_a_rebuild_is_safe_in_a_migration_of_steps_too(sqlite_url: DatabaseUrl, family: Path) -> None:
    write(family, "002_change", 'migrator.remove_fields("parents", "name")', top="atomic = False")
    runner.deploy(target(sqlite_url, family))
    assert [row[1] for row in rows(sqlite_url, "PRAGMA table_info(parents)")] == ["id"]
    assert rows(sqlite_url, "SELECT count(*) FROM children") == [(3,)]
