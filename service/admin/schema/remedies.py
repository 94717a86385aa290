"""What is not well with the schema, and the command that helps: decided from a report, told on the page."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from service.migrate.errors import Problem
from service.migrate.ledger import Attempt
from service.migrate.report import Entry, Report

DEPLOY, STATUS, DETECT = "migrate deploy", "migrate status", "migrate resolve --detect"


class Remedy(NamedTuple):
    """`tone` is that of a note: danger, warning or calm; `brief` is what the dashboard has room for. Commands that
    begin with `migrate` are for the service's own machine, the others for a checkout of its code. `error` is what the
    database said, which may be long."""

    tone: str
    brief: str
    what: str
    advice: str
    commands: tuple[str, ...] = ()
    error: str = ""


def remedies(found: Report, holder: str) -> list[Remedy]:
    """The worst first; empty where all is well. `holder` is who has the lock of deploys now, if anybody."""
    newest = next(iter(found.attempts), None)
    remedy = _in_flight(newest, holder)
    told = [remedy] if remedy else []
    told += [_solve(problem, found) for problem in found.problems]
    if newest and newest.state == "failed" and not found.problems:
        is_ours = any(entry.name == newest.migration for entry in found.entries)
        told.append(_overcome(newest) if is_ours else _elsewhere(newest))
    elif found.advice:
        told.append(_adopt(found))
    elif found.pending and not found.problems:
        brief = f"{len(found.pending)} pending"
        told.append(Remedy("warning", brief, f"{brief}.", PENDING, (DEPLOY,)))
    return [*told, *_ahead(found)]


def is_well(told: list[Remedy]) -> bool:
    """Nobody has to do anything."""
    return all(remedy.tone == "calm" for remedy in told)


PENDING = "The bot worker waits until the schema is current. Apply what is missing:"


def _in_flight(newest: Attempt | None, holder: str) -> Remedy | None:
    """Whoever has the lock is at work; a row that runs while nobody has it was left by a process that is gone."""
    what = f"{newest.action} of {newest.migration}" if newest and newest.state == "running" else ""
    if holder:
        doing = f": {what}" if what else ""
        told = f"A deploy is at work{doing} ({holder})."
        return Remedy("calm", "a deploy is at work", told, "Others wait for it. See how far it is:", (STATUS,))
    if what and newest:
        where = f"host {newest.host}, process {newest.pid}"
        told = f"The {what} was killed ({where})."
        return Remedy("danger", f"{newest.action} killed", told, "The next deploy finishes it:", (DEPLOY,))
    return None


def _solve(problem: Problem, found: Report) -> Remedy:
    entry = next((entry for entry in found.entries if entry.name == problem.migration), None)
    state = entry.state if entry else "unknown"
    brief = "1 problem" if len(found.problems) == 1 else f"{len(found.problems)} problems"
    if entry is None or state not in _SOLUTIONS:
        return Remedy("danger", brief, problem.what, problem.remedy, (STATUS,))
    advice, commands = _SOLUTIONS[state]
    words = {"name": entry.name, "release": entry.release}
    commands = commands if entry.release else tuple(_UNKNOWN_RELEASE.get(command, command) for command in commands)
    return Remedy("danger", brief, problem.what, advice, tuple(command.format(**words) for command in commands))


_START = "docker compose up --build --detach"
_RESTORE, _CHECKOUT = "git checkout {release} -- 'migrations/{name}.*'", "git checkout {release}"
# The history does not say which release applied it; the log of the code does.
_UNKNOWN_RELEASE = dict.fromkeys((_RESTORE, _CHECKOUT), "git log --oneline --all -- 'migrations/{name}.*'")
_FORGET, _RECORD = "migrate resolve --rolled-back {name}", "migrate resolve --applied {name}"
# state: what to do, and how
_SOLUTIONS = {
    "changed": (
        "Restore the file as it was applied, deploy that, and put the change into a new migration. Where only a "
        "comment was edited, forget the migration and record it again, which first proves that its effects are there:",
        (_RESTORE, _FORGET, _RECORD),
    ),
    "missing": (
        "Restore the file and deploy that; or, if the migration is to be forgotten, take it out of the history:",
        (_RESTORE, _FORGET),
    ),
    "half": (
        "Look at the database. Complete what is missing and record it, or undo what stands and have it run again:",
        (_RECORD, _FORGET, DEPLOY),
    ),
    "ahead": (
        "Start the release that brought it, or a newer one:",
        (_CHECKOUT, _START),
    ),
    "pending": (
        "If the database already has what it makes, record it; if it was merged late, run it out of order:",
        (_RECORD, "migrate deploy --out-of-order"),
    ),
}


def _overcome(failed: Attempt) -> Remedy:
    """An older failure has been overcome; this one is the newest."""
    error, name, brief = failed.error or "", failed.migration, f"{failed.action} failed"
    if error.startswith("Unclear:"):
        step = f"step {failed.step + 1} of {failed.steps}"
        what = f"{name} was interrupted in {step}, and nothing tells whether it was done."
        advice = (
            "Look at the database. Complete what is missing and record it, or undo what is there and have it run again:"
        )
        words = {"name": name}
        return Remedy("danger", brief, what, advice, (_RECORD.format(**words), _FORGET.format(**words), DEPLOY))
    what = f"The last attempt, {failed.action} of {name}, failed."
    again = "migrate rollback" if failed.action == "rollback" else DEPLOY
    if 0 < failed.step < failed.steps:
        done, stand = (f"Steps 1 to {failed.step}", "stand") if failed.step > 1 else ("Step 1", "stands")
        stands = f"{done} of {failed.steps} {stand}; the next deploy goes on from there."
        return Remedy("danger", brief, what, f"{stands} Mend the cause, then:", (again,), error)
    if "already exists" in error:
        advice = "If the database has all that it makes, record it, and let the deploy do the rest:"
        return Remedy("danger", brief, what, advice, (_RECORD.format(name=name), DEPLOY), error)
    return Remedy("danger", brief, what, "Mend the cause, then:", (again,), error)


def _elsewhere(failed: Attempt) -> Remedy:
    """Of a release that is not this one: what is run here knows nothing of that migration, and would change nothing."""
    by = f" by release {failed.release}" if failed.release else ""
    what = f"The last attempt, {failed.action} of {failed.migration}{by}, failed."
    advice = (
        "This panel is of another release, which does not have that migration, and goes on with the schema as it was. "
        "Mend it in a checkout of the newer one, and deploy that:"
    )
    return Remedy("danger", f"{failed.action} failed", what, advice, (_START,), failed.error or "")


def _adopt(found: Report) -> Remedy:
    is_theirs = "adopts it" in found.advice
    return Remedy(
        "warning", "has a past", "This database has a past.", found.advice, (DEPLOY if is_theirs else DETECT,)
    )


def _ahead(found: Report) -> Iterator[Remedy]:
    known = {problem.migration for problem in found.problems}
    ahead = [_called(entry) for entry in found.entries if entry.state == "ahead" and entry.name not in known]
    if ahead:
        what = f"The database is ahead of this release by {', '.join(ahead)}."
        advice = (
            "That is normal after an image was rolled back, and nothing needs to be run. See what this release says:"
        )
        yield Remedy("calm", "ahead of this release", what, advice, (STATUS,))


def _called(entry: Entry) -> str:
    return f"{entry.name} (release {entry.release})" if entry.release else entry.name
