"""What stock peewee-migrate makes of a folder: of names, of edits, and of functions."""

from __future__ import annotations

import traceback
from pathlib import Path

import pytest

from service.migrate import report
from service.migrate.cli import main
from service.migrate.drafting import draft
from tests.support.migrations import table
from tests.support.processes import as_text
from tests.support.stock import Hazard, Hazards, Stage, Who

HAZARDS = Hazards()


@HAZARDS.add("sqlite", ours={"a", "b", "c", "d"}, stock={"a"})
def a_number_that_has_not_three_digits_is_ignored(stage: Stage) -> object:
    for name in ("001_a", "10_b", "1000_d", "20261121_c"):
        stage.write(name, table(name[-1]))
    stage.deploy()
    return stage.tables()


@HAZARDS.add("sqlite", ours=True, stock=False)
def a_name_that_does_not_parse_is_ignored(stage: Stage) -> object:
    stage.write("001_a", table("a"))
    stage.write("002-b", table("b"))
    return "002-b.py does not look like a migration" in stage.deploy()


@HAZARDS.add("sqlite", ours="004_next.py", stock="003_next.py")
def the_next_number_is_a_count(stage: Stage) -> object:
    for name in ("001_a", "002_b", "003_c"):
        stage.write(name, table(name[-1]))
    (stage.folder / "001_a.py").unlink()
    if stage.who == "ours":
        return draft.empty(stage.folder, "next").name
    with stage.router() as router:
        return f"{router.create('next')}.py"


@HAZARDS.add("sqlite", ours=(True, False), stock=(False, True))
def a_folder_that_is_not_there_is_made(stage: Stage) -> object:
    stage.folder.rmdir()
    return "There is no migrations folder" in stage.deploy(), stage.folder.exists()


@HAZARDS.add("sqlite", ours=[], stock=["001_a"])
def a_misspelt_function_counts_as_applied(stage: Stage) -> object:
    path = stage.write("001_a", table("a"))
    path.write_text(path.read_text().replace("def migrate", "def Migrate"))
    stage.deploy()
    return stage.history()


@HAZARDS.add("sqlite", ours=(["001_a"], {"a"}), stock=([], {"a"}))
def a_missing_rollback_forgets_what_stays(stage: Stage) -> object:
    stage.write("001_a", table("a"))
    assert stage.deploy() == ""
    stage.roll_back()
    return stage.history(), stage.tables()


@HAZARDS.add("sqlite", ours=set(), stock={"a", "b"})
def a_name_that_nothing_has_applies_everything(stage: Stage) -> object:
    stage.write("001_a", table("a"))
    stage.write("002_b", table("b"))
    if stage.who == "ours":
        with pytest.raises(SystemExit):
            main(["--database-url", as_text(stage.url), "--dir", str(stage.folder), "deploy", "nope"])
    else:
        with stage.router() as router:
            router.run("nope")
    return stage.tables()


@HAZARDS.add("sqlite", ours=True, stock=False)
def an_edit_goes_unnoticed(stage: Stage) -> object:
    stage.write("001_a", table("a"))
    assert stage.deploy() == ""
    stage.write("001_a", table("a", "color TEXT"))
    return "001_a was edited after it was applied" in stage.deploy()


@HAZARDS.add("sqlite", ours=True, stock=False)
def a_late_merge_goes_unnoticed(stage: Stage) -> object:
    stage.write("002_b", table("b"))
    assert stage.deploy() == ""
    stage.write("001_a", table("a"))
    return "--out-of-order" in stage.deploy()


@HAZARDS.add("sqlite", "postgresql", ours=False, stock=True)
def looking_changes_the_database(stage: Stage) -> object:
    stage.write("001_a", table("a"))
    if stage.who == "ours":
        report.read(stage.url, stage.folder)
    else:
        with stage.router() as router:
            assert router.diff == ["001_a"]
    catalog = "sqlite_master WHERE name" if stage.url.is_sqlite else "pg_tables WHERE tablename"
    return stage.rows(f"SELECT count(*) FROM {catalog} = 'migratehistory'") == [(1,)]


@HAZARDS.add("sqlite", ours=True, stock=False)
def an_error_does_not_name_its_file(stage: Stage) -> object:
    stage.write("001_a", "1 / 0")
    if stage.who == "ours":
        return "001_a.py, line 5" in stage.deploy()
    with stage.router() as router, pytest.raises(ZeroDivisionError) as error:
        router.run()
    return "001_a.py" in "".join(traceback.format_tb(error.tb))


@HAZARDS.each()
def test_a_hazard_bites_stock_and_not_us(
    hazard: Hazard, who: Who, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    assert hazard.played(who, request, tmp_path) == hazard.outcome(who)
