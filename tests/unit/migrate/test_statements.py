"""SQL text, cut at the semicolons that end a statement and at no other."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.migrate.applying.statements import split

DOLLAR = "CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS $body$ BEGIN; RETURN 1; END $body$"
TRIGGER = "CREATE TRIGGER t AFTER INSERT ON x BEGIN INSERT INTO y VALUES (1); DELETE FROM z; END"
ATOMIC = "CREATE FUNCTION g() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT 1; SELECT 2; END"

BRANCHED = (
    "CREATE FUNCTION h(a text) RETURNS text BEGIN ATOMIC\n"
    "  SELECT CASE WHEN a = ';' THEN CASE a WHEN 'x' THEN 1 END ELSE 2 END; SELECT t.end FROM t;\nend"
)


@pytest.mark.parametrize(
    ("text", "statements"),
    [
        ("", []),
        (" ; ;\n", []),
        ("SELECT 1", ["SELECT 1"]),
        ("SELECT 1; SELECT 2;", ["SELECT 1", "SELECT 2"]),
        ("SELECT ';'; SELECT ''';'", ["SELECT ';'", "SELECT ''';'"]),
        ('SELECT 1 AS ";"; SELECT 2', ['SELECT 1 AS ";"', "SELECT 2"]),
        ("-- one; two\nSELECT 1; /* three; */ SELECT 2", ["SELECT 1", "SELECT 2"]),
        ("SELECT 1 -- trailing;\n; -- the end;", ["SELECT 1 -- trailing;"]),
        ("/* only; a comment */", []),
    ],
)
@pytest.mark.parametrize("is_sqlite", [True, False])
def test_statements_end_at_semicolons_outside_of_strings_and_comments(
    text: str, statements: list[str], is_sqlite: bool
) -> None:
    assert [statement.sql for statement in split(text, is_sqlite=is_sqlite)] == statements


@pytest.mark.parametrize(
    "text",
    [
        DOLLAR,
        ATOMIC,
        BRANCHED,
        "CREATE RULE r AS ON INSERT TO x DO ALSO (DELETE FROM y; DELETE FROM z)",
        "SELECT t.begin, 'BEGIN ATOMIC', CASE WHEN a THEN ')' END FROM t -- BEGIN ATOMIC (\nWHERE a",
        "SELECT $$;$$",
        "SELECT $a$ $$;$$ ; $a$",
        "SELECT E'it\\'s; fine'",
        "SELECT 1 /* outer /* inner; */ still; */",
    ],
)
def test_postgresqls_own_quoting_hides_semicolons(text: str) -> None:
    assert [statement.sql for statement in split(f"{text};\nSELECT 2", is_sqlite=False)] == [text, "SELECT 2"]


def test_a_trigger_of_sqlites_is_one_statement() -> None:
    assert [each.sql for each in split(f"{TRIGGER}; SELECT 2;", is_sqlite=True)] == [TRIGGER, "SELECT 2"]


def test_each_statement_knows_its_line() -> None:
    text = "-- a comment\n\nSELECT 1;\n\n  -- another\n  SELECT\n  2;"
    assert [statement.line for statement in split(text, is_sqlite=False)] == [3, 6]


def test_a_long_file_takes_no_longer_for_each_line() -> None:
    """Counting the lines from the top for each statement took a minute for a dump of some megabytes."""
    text = "INSERT INTO a VALUES (1);\n"
    times = []
    for count in (2_000, 20_000):
        began = time.process_time()
        assert split(text * count, is_sqlite=False)[-1].line == count
        times.append(time.process_time() - began)
    assert times[1] < times[0] * 30


@given(st.lists(st.sampled_from(["SELECT 1", "SELECT ';'", 'SELECT ";"', "SELECT /* ; */ 1", DOLLAR]), max_size=6))
def test_statements_that_are_joined_come_apart_again(statements: list[str]) -> None:
    assert [each.sql for each in split(";\n".join(statements), is_sqlite=False)] == statements


@given(st.text(alphabet="a;'\"$-/*\n\\ E", max_size=40), st.booleans())
def test_no_text_stops_the_splitter_and_none_is_made_up(text: str, is_sqlite: bool) -> None:
    for statement in split(text, is_sqlite=is_sqlite):
        assert statement.sql in text
