"""What a migration says of itself at its top, and what it only seems to say: told before anything is applied."""

from __future__ import annotations

from pathlib import Path

import pytest

from service.migrate import files, flags

FALSE, TRUE = "Write `-- atomic: false`, or take the line out.", "Write `-- breaking: true`, or take the line out."
TWO_WAYS = "Take such lines out, and put what undoes the migration into a .down.sql beside it."
SQL = {
    "-- breaking: ture": f"line 1: breaking is true or false, not 'ture'. {TRUE}",
    "-- atomic: perhaps": f"line 1: atomic is true or false, not 'perhaps'. {FALSE}",
    "-- atomic = ": f"line 1: atomic is true or false, not ''. {FALSE}",
    "SELECT 1;\n  --Atomic: no": f"line 2: atomic is true or false, not 'no'. {FALSE}",
    "-- atomic false": "line 1: atomic lacks its colon. Write `-- atomic: false`.",
    "-- touches:": "line 1: touches names no table. Write `-- touches: TABLE, …`, or take the line out.",
    "-- atomc: false": "line 1: atomc is no flag. Did you mean `-- atomic: …`? Else call it otherwise.",
    "\n-- why\n--braeking: true": "line 3: braeking is no flag. Did you mean `-- breaking: …`? Else call it otherwise.",
    "-- touche: bots": "line 1: touche is no flag. Did you mean `-- touches: …`? Else call it otherwise.",
    "-- migrate:up\nSELECT 1;\n-- migrate:down": (
        f"line 1: `-- migrate:up` is another runner's, and ours would run both ways, one after the other. {TWO_WAYS}"
    ),
    "-- +goose Up": (
        f"line 1: `-- +goose Up` is another runner's, and ours would run both ways, one after the other. {TWO_WAYS}"
    ),
}
IN_SO_MANY_WORDS = "line 1: breaking is True or False, and nothing else. Write `breaking = True`, or take the line out."
PYTHON = {
    "atomic = 'no'": "line 1: atomic is True or False, and nothing else. Write `atomic = False`, or take the line out.",
    "breaking = 1": IN_SO_MANY_WORDS,
    "breaking = not False": IN_SO_MANY_WORDS,
    "\ntouches = 'bots'": 'line 2: touches is a list of names. Write `touches = ["TABLE", …]`.',
    "atomc = False": "line 1: atomc is no flag. Did you mean `atomic = …`? Else call it otherwise.",
}


@pytest.mark.parametrize("text", SQL)
def test_a_flag_that_says_nothing_of_ours_is_refused_with_its_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "001_a.sql").write_text(text)
    assert refusals(tmp_path) == [f"001_a.sql, {SQL[text]}"]


@pytest.mark.parametrize("text", PYTHON)
def test_and_so_is_one_in_python(tmp_path: Path, text: str) -> None:
    (tmp_path / "001_a.py").write_text(f"{text}\n\ndef migrate(migrator, database, *, fake=False): ...\n")
    assert refusals(tmp_path) == [f"001_a.py, {PYTHON[text]}"]


@pytest.mark.parametrize(
    "text",
    [
        "-- note: this is slow",
        "-- TODO: false",
        "-- It is atomic: each statement waits for the one before it.",
        "-- breaking news",
        "SELECT 1; -- breaking: ture",
        "SELECT 1;\n-- atomc: false",
        "--",
        "-- touch: bots",
        "-- Migrates: up and down",
        "/* atomic: perhaps */ SELECT 1",
    ],
)
def test_any_other_comment_is_welcome(text: str) -> None:
    assert flags.of_sql(text) == flags.Flags()


@pytest.mark.parametrize(
    "text", ["-- atomic: false\n-- BREAKING = True", "-- why\n\n --breaking:true\n--atomic:FALSE "]
)
def test_flags_are_read_however_they_are_written(text: str) -> None:
    assert flags.of_sql(text) == flags.Flags(atomic=False, breaking=True)


def test_tables_are_named_with_quotes_or_without() -> None:
    assert flags.of_sql('-- touches: Bots, "Order Ünï"').touches == {"bots", "order ünï"}
    assert flags.of_python([(1, "touches", ["Bots", "Order Ünï"])]).touches == {"bots", "order ünï"}


def test_a_flag_in_python_may_have_its_kind_beside_it(tmp_path: Path) -> None:
    (tmp_path / "001_a.py").write_text("atomic: bool = False\n\ndef migrate(migrator, database, *, fake=False): ...\n")
    (file,) = files.scan(tmp_path)
    assert (files.outline(file).atomic, files.review(file)) == (False, [])


def refusals(folder: Path) -> list[str]:
    return [str(problem) for file in files.scan(folder) for problem in files.review(file)]
