"""CREATE TABLE statements, taken apart and put together again."""

from __future__ import annotations

import pytest

from service.migrate.altering import ddl

TABLE = """CREATE TABLE "t" (
    id INTEGER PRIMARY KEY, -- the key, of course
    "a, b" TEXT DEFAULT 'x, (y', /* between */
    price NUMERIC(10, 2) NOT NULL CHECK (price > 0 AND price NOT NULL),
    parent INTEGER CONSTRAINT own REFERENCES t (id) ON DELETE SET NULL NOT DEFERRABLE,
    total AS (price * 2) STORED,
    CONSTRAINT positive CHECK (price >= 0),
    FOREIGN KEY ("parent") REFERENCES "t" ("id")
) STRICT, WITHOUT ROWID"""


def test_a_table_is_put_together_as_it_was() -> None:
    table = ddl.parse(TABLE)
    assert table.sql("t") == TABLE.replace('"t" (\n', '"t" (\n', 1)


def test_columns_are_told_from_constraints() -> None:
    names = [definition.name for definition in ddl.parse(TABLE).definitions]
    assert names == ["id", "a, b", "price", "parent", "total", "", ""]


def test_a_constraint_knows_its_name_and_a_foreign_key_its_column() -> None:
    definitions = ddl.parse(TABLE).definitions
    assert [one.constraint_name for one in definitions[5:]] == ["positive", ""]
    assert [one.foreign_key_column for one in definitions[5:]] == ["", "parent"]


@pytest.mark.parametrize(
    ("column", "clauses"),
    [
        ("id INTEGER PRIMARY KEY", ["id INTEGER ", "PRIMARY KEY"]),
        ("a VARCHAR(10) not null default 'NOT NULL'", ["a VARCHAR(10) ", "not null ", "default 'NOT NULL'"]),
        ("a INT CHECK (a IS NOT NULL) NULL", ["a INT ", "CHECK (a IS NOT NULL) ", "NULL"]),
        ("a INT CONSTRAINT c CHECK (a > 0)", ["a INT ", "CONSTRAINT c CHECK (a > 0)"]),
        ("a INT DEFAULT NULL", ["a INT ", "DEFAULT NULL"]),
        (
            "a INT REFERENCES t ON DELETE SET DEFAULT NOT NULL",
            ["a INT ", "REFERENCES t ON DELETE SET DEFAULT ", "NOT NULL"],
        ),
        ("a INT REFERENCES t NOT DEFERRABLE", ["a INT ", "REFERENCES t NOT DEFERRABLE"]),
        ("a GENERATED ALWAYS AS (b || ' AS ')", ["a ", "GENERATED ALWAYS AS (b || ' AS ')"]),
    ],
)
def test_a_column_falls_into_its_clauses(column: str, clauses: list[str]) -> None:
    assert ddl.clauses(column) == clauses


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("a TEXT NOT NULL DEFAULT 'x'", "a TEXT DEFAULT 'x'"),
        ("a TEXT not  null CHECK (a IS NOT NULL)", "a TEXT CHECK (a IS NOT NULL)"),
        ("a TEXT CONSTRAINT needed NOT NULL", "a TEXT "),
        ("a TEXT DEFAULT 'NOT NULL'", "a TEXT DEFAULT 'NOT NULL'"),
    ],
)
def test_not_null_is_removed_where_it_is_a_clause_and_nowhere_else(before: str, after: str) -> None:
    assert ddl.without_clause(before, "NOT NULL") == after


@pytest.mark.parametrize(("quoted", "name"), [('"a""b"', 'a"b'), ("[a]", "a"), ("`a`", "a"), ("a", "a"), ('"', '"')])
def test_names_lose_their_quotes(quoted: str, name: str) -> None:
    assert ddl.unquote(quoted) == name


def test_what_is_no_table_is_refused() -> None:
    with pytest.raises(ValueError, match="no CREATE TABLE"):
        ddl.parse("CREATE TABLE t AS SELECT 1")
