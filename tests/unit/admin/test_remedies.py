"""What the page of migrations advises, decided from plain values."""

from __future__ import annotations

from typing import Any

from service.admin.schema.remedies import Remedy, remedies
from service.migrate.errors import Problem
from service.migrate.ledger import Attempt
from service.migrate.report import Entry, Report


def report(*entries: Entry, problems: tuple[Problem, ...] = (), attempt: Attempt | None = None, **more: Any) -> Report:
    is_current = not problems and all(entry.state != "pending" for entry in entries)
    return Report("a database", entries, problems, (attempt,) if attempt else (), is_current, **more)


def attempt(state: str, error: str | None = None, *, step: int = 0, steps: int = 0, action: str = "deploy") -> Attempt:
    return Attempt(action, "002_b", step, steps, state, error, None, None, "harbour", 7, None)


def only(found: Report, holder: str = "") -> Remedy:
    (remedy,) = remedies(found, holder)
    return remedy


APPLIED, PENDING = Entry("001_a", "applied"), Entry("002_b", "pending")


def test_where_all_is_well_nothing_is_advised() -> None:
    assert remedies(report(APPLIED, attempt=attempt("done")), "") == []


def test_what_is_pending_is_counted_and_applied_by_one_command() -> None:
    remedy = only(report(APPLIED, PENDING, Entry("003_c", "pending")))
    assert (remedy.tone, remedy.what, remedy.commands) == ("warning", "2 pending.", ("migrate deploy",))


def test_a_file_is_restored_from_the_release_that_applied_it() -> None:
    problem = Problem("001_a", "001_a was edited after it was applied.", "-")
    changed = Entry("001_a", "changed", release="1.4")
    assert only(report(changed, problems=(problem,))).commands == (
        "git checkout 1.4 -- 'migrations/001_a.*'",
        "migrate resolve --rolled-back 001_a",
        "migrate resolve --applied 001_a",
    )
    gone = only(report(Entry("001_a", "missing"), problems=(problem,)))
    assert gone.commands[0] == "git log --oneline --all -- 'migrations/001_a.*'", "no release is known"


def test_a_half_is_completed_or_undone_by_a_person() -> None:
    problem = Problem("001_a", "001_a was stopped after it had ended its own transaction.", "-")
    assert only(report(Entry("001_a", "half"), problems=(problem,))).commands == (
        "migrate resolve --applied 001_a",
        "migrate resolve --rolled-back 001_a",
        "migrate deploy",
    )


def test_a_break_with_the_past_leads_to_the_release_that_brought_it() -> None:
    problem = Problem("009_z", "009_z is applied, and it broke with releases that do not know it.", "-")
    remedy = only(report(Entry("009_z", "ahead", release="2.0"), problems=(problem,)))
    assert (remedy.tone, remedy.commands[0]) == ("danger", "git checkout 2.0")


def test_being_ahead_alone_is_no_alarm() -> None:
    remedy = only(report(APPLIED, Entry("009_z", "ahead", release="2.0")))
    assert remedy.tone == "calm"
    assert remedy.what == "The database is ahead of this release by 009_z (release 2.0)."


def test_what_was_merged_late_is_recorded_or_run_out_of_order() -> None:
    late = Problem("002_b", "002_b is not applied, but 003_c, which comes after it, is.", "-")
    assert only(report(APPLIED, PENDING, Entry("003_c", "applied"), problems=(late,))).commands == (
        "migrate resolve --applied 002_b",
        "migrate deploy --out-of-order",
    )


def test_a_failure_is_told_once_and_not_also_as_pending() -> None:
    remedy = only(report(APPLIED, PENDING, attempt=attempt("failed", "OperationalError: no such table")))
    assert remedy.what == "The last attempt, deploy of 002_b, failed."
    assert remedy.error == "OperationalError: no such table", "nobody looks for it at the end of a long page"
    assert remedy.commands == ("migrate deploy",)


def test_what_a_newer_release_failed_at_is_not_to_be_mended_by_this_one() -> None:
    failed = attempt("failed", "OperationalError: no such table")._replace(migration="003_c", release="2.0")
    remedy = only(report(APPLIED, attempt=failed))
    assert remedy.what == "The last attempt, deploy of 003_c by release 2.0, failed."
    assert "goes on with the schema as it was" in remedy.advice
    assert remedy.commands == ("docker compose up --build --detach",), "a deploy of this one would change nothing"


def test_a_failed_rollback_is_tried_again_as_a_rollback() -> None:
    failed = attempt("failed", "OperationalError: no such table", action="rollback")
    assert only(report(APPLIED, Entry("002_b", "applied"), attempt=failed)).commands == ("migrate rollback",)


def test_what_is_there_already_is_recorded() -> None:
    failed = attempt("failed", "ProgrammingError: relation b already exists")
    assert only(report(APPLIED, PENDING, attempt=failed)).commands == (
        "migrate resolve --applied 002_b",
        "migrate deploy",
    )


def test_steps_that_stand_are_counted() -> None:
    half = only(report(APPLIED, PENDING, attempt=attempt("failed", "OperationalError: …", step=2, steps=5)))
    assert half.advice.startswith("Steps 1 to 2 of 5 stand; the next deploy goes on from there.")


def test_a_step_that_nothing_tells_of_is_left_to_a_person() -> None:
    unclear = only(report(APPLIED, PENDING, attempt=attempt("failed", "Unclear: 002_b was …", step=1, steps=2)))
    assert "interrupted in step 2 of 2, and nothing tells whether it was done" in unclear.what
    assert unclear.commands == (
        "migrate resolve --applied 002_b",
        "migrate resolve --rolled-back 002_b",
        "migrate deploy",
    )


def test_a_running_attempt_is_at_work_or_was_killed() -> None:
    found = report(APPLIED, PENDING, attempt=attempt("running"))
    at_work = remedies(found, "process 7 on harbour")[0]
    assert (at_work.tone, at_work.what) == ("calm", "A deploy is at work: deploy of 002_b (process 7 on harbour).")
    killed = remedies(found, "")[0]
    assert killed.what == "The deploy of 002_b was killed (host harbour, process 7)."
    assert killed.commands == ("migrate deploy",)


def test_a_database_with_a_past_is_looked_at_before_anything_runs() -> None:
    advice = "This database has tables, but no history of migrations. `migrate resolve --detect` finds …"
    assert only(report(PENDING, advice=advice)).commands == ("migrate resolve --detect",)
    ours = "The history is peewee-migrate's own: the next `migrate deploy` adopts it as it is."
    assert only(report(APPLIED, advice=ours)).commands == ("migrate deploy",)
