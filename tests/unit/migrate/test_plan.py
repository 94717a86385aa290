"""What to do, decided from plain values: one row a situation."""

from __future__ import annotations

from datetime import datetime

import pytest

from service.migrate.errors import UnknownMigration
from service.migrate.files import MigrationFile
from service.migrate.gate import judge
from service.migrate.ledger import Applied, Ledger
from service.migrate.plan import make_plan, resolve_name

WHEN = datetime(2026, 11, 21)


def file(name: str, checksum: str = "same") -> MigrationFile:
    return MigrationFile(name, int(name.partition("_")[0]), f"{name}.py", checksum)


def ledger(*names: str, checksum: str | None = "same", breaking: bool = False) -> Ledger:
    return Ledger(True, tuple(Applied(name, WHEN, checksum, breaking=breaking) for name in names))


A, B, C = file("001_a"), file("002_b"), file("003_c")


@pytest.mark.parametrize(
    ("files", "database", "states"),
    [
        ([], ledger(), []),
        ([A, B], ledger(), ["pending", "pending"]),
        ([A, B], ledger("001_a"), ["applied", "pending"]),
        ([A, B], ledger("001_a", "002_b"), ["applied", "applied"]),
        ([file("001_a", "edited"), B], ledger("001_a"), ["changed", "pending"]),
        ([A, C], ledger("001_a", "002_b"), ["applied", "missing", "pending"]),
        ([A], ledger("001_a", "002_b"), ["applied", "ahead"]),
        ([A, file("002_new")], ledger("001_a", "002_b"), ["applied", "missing", "pending"]),
        ([], ledger("001_a"), ["ahead"]),
        ([A], ledger("001_a", checksum=None), ["applied"]),
    ],
)
def test_each_migration_has_a_state(files: list[MigrationFile], database: Ledger, states: list[str]) -> None:
    assert [entry.state for entry in make_plan(files, database).entries] == states


def test_an_edited_file_is_refused_with_the_remedy() -> None:
    (problem,) = make_plan([file("001_a", "edited")], ledger("001_a")).problems
    assert str(problem) == (
        "001_a was edited after it was applied. Restore the file and put the change into a new migration."
    )


def test_a_file_with_a_new_name_is_one_that_is_gone_and_no_late_one() -> None:
    problems = make_plan([A, file("002_new")], ledger("001_a", "002_b")).problems
    assert [problem.migration for problem in problems] == ["002_b"]


def test_a_file_that_is_gone_is_refused_with_the_command() -> None:
    (problem,) = make_plan([A, C], ledger("001_a", "002_b", "003_c")).problems
    assert str(problem) == (
        "002_b is applied, but its file is gone. "
        "Restore the file, or forget it with `migrate resolve --rolled-back 002_b`."
    )


def test_a_migration_that_was_merged_late_is_refused_until_it_is_asked_for() -> None:
    refused = make_plan([A, B, C], ledger("001_a", "003_c"))
    assert "002_b is not applied, but 003_c, which comes after it, is." in str(refused.problems[0])
    asked = make_plan([A, B, C], ledger("001_a", "003_c"), out_of_order=True)
    assert asked.problems == ()
    assert asked.pending == (B,)


def test_a_database_that_is_ahead_is_no_problem() -> None:
    plan = make_plan([A], ledger("001_a", "002_b"))
    assert plan.is_current
    assert [row.name for row in plan.ahead] == ["002_b"]
    assert plan.newest == "002_b"


def test_an_older_release_does_not_run_on_what_broke_with_it() -> None:
    (problem,) = make_plan([A], ledger("001_a", "002_b", breaking=True)).problems
    assert str(problem) == (
        "002_b is applied, and it broke with releases that do not know it, such as this one. "
        "Start the release that brought it."
    )
    assert make_plan([A, B], ledger("001_a", "002_b", breaking=True)).problems == ()


def test_what_was_applied_without_a_checksum_is_adopted() -> None:
    assert make_plan([A, B], ledger("001_a", checksum=None)).to_adopt == (("001_a", "same"),)


@pytest.mark.parametrize(
    ("files", "database", "is_open", "words"),
    [
        ([A], ledger("001_a"), True, "current"),
        ([A, B], ledger("001_a"), False, "002_b missing"),
        ([A], ledger("001_a", "002_b"), True, "current"),
        ([A], ledger("001_a", "002_b", breaking=True), False, "it broke with releases that do not know it"),
        ([file("001_a", "edited")], ledger("001_a"), False, "edited after it was applied"),
    ],
)
def test_the_gate_opens_on_a_schema_that_this_release_can_use(
    files: list[MigrationFile], database: Ledger, is_open: bool, words: str
) -> None:
    verdict = judge(make_plan(files, database))
    assert verdict.is_open == is_open
    assert words in verdict.reason


@pytest.mark.parametrize("given", ["001_initial", "001_initial.py", "migrations/001_initial.py", "001_initial.sql"])
def test_a_name_may_be_given_as_a_file(given: str) -> None:
    assert resolve_name(given, ["001_initial", "002_more"]) == "001_initial"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("001_inital", "did you mean 001_initial?"),
        ("001", "did you mean 001_initial?"),
        ("zzz", "see `migrate status` for the names."),
    ],
)
def test_a_name_that_does_not_exist_brings_the_nearest_ones(given: str, words: str) -> None:
    with pytest.raises(UnknownMigration) as refusal:
        resolve_name(given, ["001_initial", "002_more"])
    assert str(refusal.value) == f"There is no migration {given}; {words}"
