"""What stock peewee-migrate does with transactions, beside other deploys, and with what is applied already."""

from __future__ import annotations

import logging
import threading
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import peewee as pw
import pytest

from tests.support.migrations import table
from tests.support.stock import MEANWHILE, Hazard, Hazards, Stage, Who

HAZARDS = Hazards()
_MEANWHILE = "from tests.support.stock import MEANWHILE"
SELECT, EXECUTE = pw.Model.__dict__["select"], pw.Database.execute_sql


def outcome(said: str) -> str:
    return "failed" if said else "done"


@HAZARDS.add("postgresql", ours=(1, 1), stock=(2, 2))
def two_deploys_at_once_apply_a_migration_twice(stage: Stage) -> object:
    options = {"lock_wait": 0.1} if stage.who == "ours" else {}

    def deploy_again() -> None:
        other = threading.Thread(target=stage.deploy, kwargs=options)
        other.start()
        other.join()

    stage.write("001_log", "migrator.sql('CREATE TABLE log (x INTEGER)')")
    assert stage.deploy() == ""
    MEANWHILE[:] = [deploy_again]
    body = "while MEANWHILE: MEANWHILE.pop()()\nmigrator.sql('INSERT INTO log VALUES (1)')"
    stage.write("002_x", body, top=_MEANWHILE)
    stage.deploy()
    return len(stage.rows("SELECT x FROM log")), stage.history().count("002_x")


@HAZARDS.add("sqlite", ours=[True, True], stock=[False, False])
def a_replay_patches_peewee_for_the_whole_process(stage: Stage) -> object:
    seen: list[bool] = []

    def look() -> None:
        seen.extend([pw.Model.__dict__["select"] is SELECT, pw.Database.execute_sql is EXECUTE])

    stage.write("001_a", f"if fake: MEANWHILE[0]()\n{table('a')}", top=_MEANWHILE)
    assert stage.deploy() == ""
    MEANWHILE[:] = [look]
    stage.write("002_b", "list(migrator.orm)")
    stage.deploy()
    return seen


@HAZARDS.add("sqlite", "postgresql", ours="done", stock="failed")
def a_body_that_reads_breaks_the_next_deploy(stage: Stage) -> object:
    stage.write("001_a", f"for (one,) in database.execute_sql('SELECT 1').fetchall(): pass\n{table('a')}")
    assert stage.deploy() == ""
    stage.write("002_b", table("b"))
    return outcome(stage.deploy())


@HAZARDS.add("sqlite", ours=1, stock=2)
def what_goes_through_the_driver_runs_again(stage: Stage) -> object:
    stage.write("001_log", "migrator.sql('CREATE TABLE log (x INTEGER)')")
    stage.write("002_note", "database.connection().execute('INSERT INTO log VALUES (1)')")
    assert stage.deploy() == ""
    stage.write("003_b", f"list(migrator.orm)\n{table('b')}")
    stage.deploy()
    return stage.rows("SELECT count(*) FROM log")[0][0]


@HAZARDS.add("sqlite", ours=True, stock=False)
def an_applied_file_that_is_gone_is_not_explained(stage: Stage) -> object:
    stage.write("001_a", table("a"))
    assert stage.deploy() == ""
    (stage.folder / "001_a.py").unlink()
    stage.write("002_b", table("b"))
    return "migrate resolve --rolled-back 001_a" in stage.deploy()


@HAZARDS.add("postgresql", ours="done", stock="failed")
def an_index_can_not_be_built_concurrently(stage: Stage) -> object:
    stage.write("001_a", table("a"))
    stage.write("002_index", "migrator.sql('CREATE INDEX CONCURRENTLY i ON a (id)')", top="atomic = False")
    return outcome(stage.deploy())


@HAZARDS.add("postgresql", ours="done", stock="failed")
def a_new_value_of_an_enum_can_not_be_used(stage: Stage) -> object:
    stage.write("001_mood", "migrator.sql(\"CREATE TYPE mood AS ENUM ('calm')\")")
    use = "migrator.sql(\"ALTER TYPE mood ADD VALUE 'merry'\")\nmigrator.sql(\"SELECT 'merry'::mood\")"
    stage.write("002_merry", use, top="atomic = False")
    return outcome(stage.deploy())


@HAZARDS.add("sqlite", "postgresql", ours=set(), stock={"a"})
def a_commit_inside_keeps_half_of_what_failed(stage: Stage) -> object:
    stage.write("001_a", f"{table('a')}\nmigrator.sql('COMMIT')\nmigrator.sql('SELECT * FROM nowhere')")
    stage.deploy()
    return stage.tables()


@HAZARDS.add("sqlite", ours=1, stock=2)
def what_stands_outside_of_a_function_runs_again(stage: Stage) -> object:
    ran: list[int] = []
    MEANWHILE[:] = [lambda: ran.append(1)]
    stage.write("001_a", table("a"), top=f"{_MEANWHILE}\nMEANWHILE[0]()")
    assert stage.deploy() == ""
    stage.write("002_b", table("b"))
    assert stage.deploy() == ""
    return len(ran)


@HAZARDS.add("sqlite", "postgresql", ours=True, stock=False)
def a_commit_inside_hides_why_it_failed(stage: Stage) -> object:
    stage.write("001_a", f"{table('a')}\nmigrator.sql('COMMIT')\nmigrator.sql('SELECT * FROM nowhere')")
    said = stage.deploy()
    return "nowhere" in said or "COMMIT" in said


@HAZARDS.add("postgresql", ours="done", stock="failed")
def a_percent_sign_is_taken_for_a_parameter(stage: Stage) -> object:
    stage.write("001_a", f"{table('a')}\nmigrator.sql(\"DELETE FROM a WHERE id::text LIKE '%d'\")")
    return outcome(stage.deploy())


@HAZARDS.add("sqlite", ours="done", stock="failed")
def several_statements_are_refused(stage: Stage) -> object:
    stage.write("001_a", "migrator.sql('CREATE TABLE a (id INTEGER); CREATE TABLE b (id INTEGER);')")
    return outcome(stage.deploy())


@HAZARDS.add("sqlite", ours={"a"}, stock={"a", "left_over"})
def what_a_failure_left_undone_is_done_by_the_next_run(stage: Stage) -> object:
    """In one process: stock keeps its queue of operations."""
    with stage.router() as router:
        for body in (f"{table('left_over')}\nraise RuntimeError", table("a")):
            stage.write("001_a", body)
            with suppress(RuntimeError):
                stage.deploy() if stage.who == "ours" else router.run()
    return stage.tables()


@HAZARDS.add("sqlite", ours=(["001_a"], ["001_a"]), stock=([], ["001_a"]))
def the_history_of_one_database_gets_into_another_one(stage: Stage) -> object:
    """In one process: stock has one model of the history for all databases."""
    stage.write("001_a", table("a"))
    other = replace(stage, url=stage.url._replace(name=f"{stage.url.name}.other"))
    if stage.who == "ours":
        stage.deploy(), other.deploy()
    else:
        with stage.router() as first, other.router() as second:
            assert (first.diff, second.diff) == (["001_a"], ["001_a"])
            first.run()
    return stage.history(), other.history()


@HAZARDS.add("sqlite", ours=False, stock=True)
def values_get_into_the_log(stage: Stage) -> object:
    said: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: said.append(record.getMessage())  # type: ignore[method-assign]
    logger = logging.getLogger("peewee_migrate")
    logger.addHandler(handler)
    level, logger.level = logger.level, logging.DEBUG
    try:
        stage.write("001_a", f"{table('a', 'x TEXT')}\nmigrator.sql('INSERT INTO a (x) VALUES (?)', 'hunter2')")
        assert stage.deploy() == ""
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
    return "hunter2" in "".join(said)


@HAZARDS.add("postgresql", ours=True, stock=False)
def times_are_those_of_the_session_s_zone(stage: Stage) -> object:
    stage.rows(f"ALTER DATABASE \"{stage.url.name}\" SET timezone = 'Pacific/Auckland'")
    stage.write("001_a", table("a"))
    assert stage.deploy() == ""
    drift = "SELECT abs(extract(epoch FROM migrated_at - (now() AT TIME ZONE 'UTC'))) < 60 FROM migratehistory"
    return stage.rows(drift)[0][0]


@HAZARDS.each()
def test_a_hazard_bites_stock_and_not_us(
    hazard: Hazard, who: Who, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    assert hazard.played(who, request, tmp_path) == hazard.outcome(who)
