"""What stock peewee-migrate does to tables and to what is in them, and what ours does instead."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.stock import Hazard, Hazards, Stage, Who

HAZARDS = Hazards()

FAMILY = """
@migrator.create_model
class Parent(pw.Model):
    name = pw.TextField(null=True)
    class Meta:
        table_name = "parents"
@migrator.create_model
class Child(pw.Model):
    parent = pw.ForeignKeyField(Parent, on_delete="CASCADE")
    class Meta:
        table_name = "children"
"""


def family(stage: Stage) -> None:
    """Two parents and three children, in the database."""
    stage.write("001_family", FAMILY)
    assert stage.deploy() == ""
    stage.rows("INSERT INTO parents (name) VALUES ('a'), ('b')")
    stage.rows("INSERT INTO children (parent_id) VALUES (1), (1), (2)")


def changed(stage: Stage, change: str) -> str:
    """Whether a second migration goes through."""
    stage.write("002_change", change)
    return "failed" if stage.deploy() else "done"


@HAZARDS.add("sqlite", ours=[(3,)], stock=[(0,)])
def rebuilding_a_table_deletes_its_children(stage: Stage) -> object:
    family(stage)
    changed(stage, 'migrator.add_not_null("parents", "name")')
    return stage.rows("SELECT count(*) FROM children")


@HAZARDS.add("sqlite", ours=[("kept",)], stock=[])
def rebuilding_a_table_drops_its_triggers(stage: Stage) -> object:
    family(stage)
    stage.rows("CREATE TRIGGER kept AFTER INSERT ON parents BEGIN SELECT 1; END")
    changed(stage, 'migrator.change_fields("parents", name=pw.CharField(null=True))')
    return stage.rows("SELECT name FROM sqlite_master WHERE type = 'trigger'")


def with_own_table(stage: Stage, sql: str) -> None:
    """A table `t` as somebody wrote it, whose model has a text field `x`."""
    model = 'class T(pw.Model):\n    x = pw.TextField(null=True)\n    class Meta:\n        table_name = "t"'
    stage.write("001_t", f"{model}\nmigrator.create_model(T)")
    assert stage.deploy() == ""
    stage.rows("DROP TABLE t")
    stage.rows(sql)


@HAZARDS.add("sqlite", ours=True, stock=False)
def rebuilding_a_table_makes_it_lax(stage: Stage) -> object:
    with_own_table(stage, "CREATE TABLE t (id INTEGER PRIMARY KEY, x TEXT) STRICT")
    changed(stage, 'migrator.add_not_null("t", "x")')
    return "STRICT" in stage.rows("SELECT sql FROM sqlite_master WHERE name = 't'")[0][0]


@HAZARDS.add("sqlite", ours=[("a  b",)], stock=[("a b",)])
def rebuilding_a_table_collapses_the_spaces_in_a_default(stage: Stage) -> object:
    with_own_table(stage, "CREATE TABLE t (id INTEGER PRIMARY KEY, x TEXT, y TEXT DEFAULT 'a  b')")
    changed(stage, 'migrator.add_not_null("t", "x")')
    stage.rows("INSERT INTO t (x) VALUES ('x')")
    return stage.rows("SELECT y FROM t")


@HAZARDS.add("sqlite", ours=0, stock=1)
def not_null_in_lower_case_is_not_dropped(stage: Stage) -> object:
    with_own_table(stage, "CREATE TABLE t (id INTEGER PRIMARY KEY, x TEXT not null)")
    changed(stage, 'migrator.drop_not_null("t", "x")')
    return stage.rows("SELECT \"notnull\" FROM pragma_table_info('t') WHERE name = 'x'")[0][0]


@HAZARDS.add("sqlite", ours="done", stock="failed")
def rebuilding_a_table_fails_on_a_comma_in_a_default(stage: Stage) -> object:
    with_own_table(stage, "CREATE TABLE t (id INTEGER PRIMARY KEY, x TEXT, y TEXT DEFAULT 'a, b')")
    return changed(stage, 'migrator.add_not_null("t", "x")')


@HAZARDS.add("sqlite", ours="done", stock="failed")
def rebuilding_a_table_fails_on_nested_parentheses(stage: Stage) -> object:
    with_own_table(stage, "CREATE TABLE t (id INTEGER PRIMARY KEY, x TEXT, y INTEGER DEFAULT (max(1, (2), 3)))")
    return changed(stage, 'migrator.add_not_null("t", "x")')


@HAZARDS.add("sqlite", ours="done", stock="failed")
def rebuilding_a_table_fails_on_a_generated_column(stage: Stage) -> object:
    with_own_table(stage, "CREATE TABLE t (id INTEGER PRIMARY KEY, x TEXT, y TEXT AS (x || '!') STORED)")
    return changed(stage, 'migrator.add_not_null("t", "x")')


@HAZARDS.add("sqlite", ours="done", stock="failed")
def rebuilding_a_table_fails_under_a_view(stage: Stage) -> object:
    family(stage)
    stage.rows("CREATE VIEW names AS SELECT name FROM parents")
    return changed(stage, 'migrator.add_not_null("parents", "name")')


@HAZARDS.add("sqlite", "postgresql", ours=[("a",), ("b",)], stock=[("new",), ("new",)])
def a_new_default_overwrites_what_is_there(stage: Stage) -> object:
    family(stage)
    changed(stage, 'migrator.add_default("parents", "name", "new")')
    return stage.rows("SELECT name FROM parents ORDER BY id")


@HAZARDS.add("sqlite", "postgresql", ours=1, stock=0)
def the_release_before_can_not_insert_after_a_column_with_a_default(stage: Stage) -> object:
    family(stage)
    changed(stage, 'migrator.add_fields("parents", color=pw.CharField(default="red"))')
    try:
        stage.rows("INSERT INTO parents (name) VALUES ('by the release before')")
    except Exception:
        return 0
    return stage.rows("SELECT count(*) FROM parents WHERE name = 'by the release before' AND color = 'red'")[0][0]


@HAZARDS.add("sqlite", ours="done", stock="failed")
def a_foreign_key_can_not_be_removed(stage: Stage) -> object:
    family(stage)
    return changed(stage, 'migrator.remove_fields("children", "parent")')


@HAZARDS.add("sqlite", ours=True, stock=False)
def rebuilding_a_table_gives_it_row_numbers(stage: Stage) -> object:
    with_own_table(stage, "CREATE TABLE t (id INTEGER PRIMARY KEY, x TEXT) WITHOUT ROWID")
    changed(stage, 'migrator.add_not_null("t", "x")')
    return "WITHOUT ROWID" in stage.rows("SELECT sql FROM sqlite_master WHERE name = 't'")[0][0]


@HAZARDS.add("sqlite", ours=[("filled in",)], stock=[(None,)])
def changing_a_column_drops_its_default(stage: Stage) -> object:
    with_own_table(stage, "CREATE TABLE t (id INTEGER PRIMARY KEY, x TEXT DEFAULT 'filled in')")
    changed(stage, 'migrator.change_fields("t", x=pw.CharField(null=True))')
    stage.rows("INSERT INTO t (id) VALUES (1)")
    return stage.rows("SELECT x FROM t")


@HAZARDS.add("sqlite", ours=0, stock=1)
def changing_a_column_drops_its_check(stage: Stage) -> object:
    with_own_table(stage, "CREATE TABLE t (id INTEGER PRIMARY KEY, x TEXT CHECK (x <> ''))")
    changed(stage, 'migrator.change_fields("t", x=pw.CharField(null=True))')
    with suppress(Exception):
        stage.rows("INSERT INTO t (x) VALUES ('')")
    return len(stage.rows("SELECT x FROM t"))


@HAZARDS.add("sqlite", ours=True, stock=False)
def dropping_not_null_changes_a_check_that_speaks_of_it(stage: Stage) -> object:
    with_own_table(stage, "CREATE TABLE t (id INTEGER PRIMARY KEY, x TEXT NOT NULL CHECK (x <> 'NOT NULL'))")
    changed(stage, 'migrator.drop_not_null("t", "x")')
    return "'NOT NULL'" in stage.rows("SELECT sql FROM sqlite_master WHERE name = 't'")[0][0]


@HAZARDS.add("sqlite", ours="done", stock="failed")
def rebuilding_a_table_fails_on_a_comment(stage: Stage) -> object:
    with_own_table(stage, "CREATE TABLE t (id INTEGER PRIMARY KEY, -- its number, of (course\n x TEXT)")
    return changed(stage, 'migrator.add_not_null("t", "x")')


@HAZARDS.add("sqlite", ours="done", stock="failed")
def a_foreign_key_can_not_be_changed(stage: Stage) -> object:
    family(stage)
    key = 'pw.ForeignKeyField(migrator.orm["parents"], on_delete="RESTRICT")'
    return changed(stage, f'migrator.change_fields("children", parent={key})')


@HAZARDS.add("sqlite", ours="", stock="failed")
def a_new_foreign_key_can_not_be_rolled_back(stage: Stage) -> object:
    family(stage)
    key = 'pw.ForeignKeyField(migrator.orm["children"], null=True, backref="+")'
    stage.write("002_best", f'migrator.add_fields("parents", best={key})', 'migrator.remove_fields("parents", "best")')
    assert stage.deploy() == ""
    return stage.roll_back() and "failed"


@HAZARDS.add("postgresql", ours=True, stock=False)
def a_column_with_a_default_writes_every_row_anew(stage: Stage) -> object:
    family(stage)
    places = "SELECT ctid::text, xmin::text FROM parents ORDER BY id"
    before = stage.rows(places)
    changed(stage, 'migrator.add_fields("parents", color=pw.CharField(default="red"))')
    return stage.rows(places) == before


@HAZARDS.each()
def test_a_hazard_bites_stock_and_not_us(
    hazard: Hazard, who: Who, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    assert hazard.played(who, request, tmp_path) == hazard.outcome(who)
