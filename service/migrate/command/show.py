"""How results look on a terminal and in a deploy log: data in, lines out."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from service.migrate import words
from service.migrate.session import Event
from service.migrate.waits import Wait

if TYPE_CHECKING:
    from service.migrate.backfilling.tally import Bar
    from service.migrate.ledger import Attempt
    from service.migrate.proving.proof import Detection
    from service.migrate.proving.verify import Verification
    from service.migrate.rehearsal import Rehearsal, Statement
    from service.migrate.report import Entry, Report

_SHOWN = 8
_LINES, _WIDTH = 40, 2_000  # of a statement that is rehearsed
NO_MIGRATIONS = "There are no migrations yet; make one with `migrate create NAME`."
_REHEARSED = "Nothing was changed. This ran on empty tables: what a migration does row by row is not among it."
_SLOW = '{} work{} through a large table that is in use: see "Will it hold anybody up?" in docs/migrations.md.'
UNKNOWN = "Applied, but without a file here: {}. What that changed differs: verify with the release that has it."
UNNAMED_MODELS = (
    "\nNo models were compared: the service's own do not go with this folder. Name those that do in MIGRATIONS_MODELS; "
    "--skip-models leaves them out without a word."
)
_NO_REPAIR = "\nNothing is missing that could be added."


def event(happened: Event) -> str:
    """One line for a log; empty where there is nothing to say."""
    name = happened.migration
    match happened.kind:
        case "starting":
            return f"{happened.detail} to apply"
        case "applied":
            return "\n".join([f"  ✓ {name:<45} {words.duration(happened.seconds)}", *_waits(happened.waits)])
        case "rolled back":
            took = f"  ↶ {name:<45} rolled back in {words.duration(happened.seconds)}"
            return "\n".join([took, *_waits(happened.waits)])
        case "recorded":
            return f"{name} is now recorded as applied: {happened.detail}."
        case "forgotten":
            return f"{name} is no longer recorded as applied; the next deploy will run it."
        case "unchanged":
            return f"{name} was {happened.detail}; nothing changed."
        case "waiting":
            return f"Waiting for another deploy ({happened.detail}), {happened.seconds:.0f} s so far"
        case "waited":
            return "\n".join(wait.words for wait in happened.waits)
        case "blocked":
            return f"  … {name} gave way to the application: {happened.detail}"
        case "ended":
            return f"Ended {happened.detail}, which a killed deploy had left running"
        case "connecting":
            return f"Waiting for the database, {happened.detail}"
        case "backfilling":
            return ""


def _waits(waits: Sequence[Wait]) -> list[str]:
    return [f"    {wait.words}" for wait in waits]


def bar() -> Bar:
    """What draws how far a backfill is."""
    from service.migrate.backfilling.tally import Bar

    return Bar(is_terminal=sys.stdout.isatty())


def migrations_words(*, to_stderr: bool) -> None:
    """What a migration logs as `migrations` is part of the report, below its name. Call before migrations run."""
    import logging

    handler = logging.StreamHandler(sys.stderr if to_stderr else sys.stdout)
    clear = ""
    if not to_stderr and sys.stdout.isatty():  # beside a bar
        from service.migrate.backfilling.tally import CLEAR as clear
    handler.setFormatter(logging.Formatter(f"{clear}%(heading)s    %(message)s"))
    named: set[str] = set()

    def with_heading(record: logging.LogRecord) -> bool:
        record.__dict__["heading"] = "" if record.module in named else f"  … {record.module}\n"
        named.add(record.module)
        return True

    handler.addFilter(with_heading)
    logger = logging.getLogger("migrations")
    logger.handlers, logger.propagate = [handler], False
    logger.setLevel(logging.INFO)


def status(report: Report) -> str:
    """A table of migrations, and the one sentence that matters below it."""
    if not report.entries:
        return f"{report.database}\n{NO_MIGRATIONS}"
    lines = [report.database, "", *(_row(entry) for entry in report.entries), ""]
    missing = "There is no such file yet: the first deploy makes it." if report.is_missing else ""
    return "\n".join([*lines, *filter(None, [missing, report.advice, _last(report.attempts), _verdict(report)])])


def rehearsal(found: Rehearsal) -> str:
    """What a deploy would run."""
    if not found.pending:
        return words.nothing_to_do(len(found.applied), found.applied[-1]) if found.applied else NO_MIGRATIONS
    lines = [f"A deploy would apply {words.count(len(found.pending), 'migration')} to {found.database}:"]
    for part in found.pending:
        how = ["in one transaction" if part.atomic else "in steps", *(["breaking"] if part.breaking else [])]
        lines += ["", f"{part.migration}, {', '.join(how)}"]
        lines += [line for each in part.statements for line in _rehearsed(each)] or ["  no statement"]
    slow = [_SLOW.format(words.count(found.slow, "statement"), "s" if found.slow == 1 else "")] if found.slow else []
    return "\n".join([*lines, "", *slow, _REHEARSED])


def _rehearsed(statement: Statement) -> list[str]:
    """With what it means to others below it, as comments."""
    return [_statement(statement.sql), *(f"  -- {note}" for note in statement.notes)]


def _statement(sql: str) -> str:
    """Indented as a whole; of one that brings its data along, the beginning."""
    lines = [line if len(line) <= _WIDTH else f"{line[:_WIDTH]} …" for line in sql.splitlines()]
    if len(lines) > _LINES:
        lines[_LINES:] = [f"… {words.count(len(lines) - _LINES, 'line')} more"]
    is_comment = len(lines) == 1 and sql.startswith("--")
    return "\n".join(f"  {line}".rstrip() for line in lines) + ("" if is_comment else ";")


def journal(attempts: Sequence[Attempt]) -> str:
    """What was tried, the latest first, with what it waited for and why it failed."""
    return "\n".join(line for attempt in attempts for line in _attempt(attempt)) or "Nothing was tried here yet."


def _attempt(attempt: Attempt) -> list[str]:
    began = f"{attempt.started:%Y-%m-%d %H:%M:%S}" if attempt.started else ""
    took = "" if attempt.seconds is None else words.duration(attempt.seconds)
    steps = f"step {attempt.step} of {attempt.steps}, " if attempt.steps else ""
    release = f", release {attempt.release}" if attempt.release else ""
    where = f"{steps}process {attempt.pid} on {attempt.host}{release}"
    line = f"{began:<19} {attempt.action:<8} {attempt.migration:<45} {attempt.state:<7} {took:>7}  {where}"
    return [line, *_waits(attempt.waits), *([f"    {attempt.error}"] if attempt.error else [])]


def detection(found: Detection, *, yes: bool) -> str:
    """What the live schema proves, and the one command that records it."""
    if not found.names:
        lines = ["The live schema does not prove that any migration was applied: `migrate deploy` will apply them."]
    else:
        lines = [f"The live schema has everything up to {found.names[-1]}: {found.compared} things were compared."]
    lines += [f"{name} changes no table, so the schema can't show whether it ran." for name in found.unproven]
    if found.next_missing:
        lines += ["What comes next is not there:", *(f"  missing: {line}" for line in found.next_missing[:_SHOWN])]
        more = len(found.next_missing) - _SHOWN
        lines += [f"  and {more} more"] if more > 0 else []
    if found.names and not yes:
        lines += ["Record this with:", f"  migrate resolve --applied {' '.join(found.names)}"]
    return "\n".join(lines)


def verification(found: Verification, models: Sequence[str] | None, *, module: str, repair: bool) -> str:
    """Three answers, each with what it rests on; `models` is None where none were compared."""
    lines = [found.database, "", f"Live schema against {found.head or 'no migration'}"]
    lines += _answer(found.drift, f"{found.compared} things were compared and are equal")
    if models is not None:
        lines += [f"Models of {module} against the migrations"]
        lines += _answer([line for change in models for line in change.splitlines()], "they agree")
    if found.checks:
        lines.append("Checks of the migrations")
        lines += [
            f"  {'✓' if check.is_met else '✗'} {check.label} {check.found} of {check.expected} ({check.migration})"
            for check in found.checks
        ]
    if repair and not found.unknown:
        lines += ["", *(f"{statement};" for statement in found.repair)] if found.repair else [_NO_REPAIR]
    return "\n".join([*lines, *_ways_out(found, models, repair=repair)])


def _ways_out(found: Verification, models: Sequence[str] | None, *, repair: bool) -> Iterator[str]:
    """The command that helps, for each answer that is not as it should be."""
    if found.repair:
        words = "runs this" if repair else "adds what is missing; without --yes it prints the SQL"
        yield f"\n`migrate verify --repair --yes` {words}."
    elif found.drift and found.unknown:
        yield f"\n{UNKNOWN.format(', '.join(found.unknown))}"
    elif found.drift:
        yield "\nPut right what was changed by hand, or say in a migration what should be so: `migrate create NAME`."
    if models:
        yield "\n`migrate create NAME --auto` writes the migration that leads to the models."
    if not all(check.is_met for check in found.checks):
        yield "\nA check that is not met is a matter of the data: its migration says what it counts."


def _answer(problems: Sequence[str], fine: str) -> list[str]:
    return [f"  ✗ {problem}" for problem in problems] or [f"  ✓ {fine}"]


def _row(entry: Entry) -> str:
    return words.migration(entry.name, entry.state, entry.applied_at, entry.duration_ms, entry.origin, entry.waited_ms)


def _last(attempts: Sequence[Attempt]) -> str:
    """What became of the newest attempt, where it did not end well or has not ended."""
    if not attempts or attempts[0].state == "done":
        return ""
    last = attempts[0]
    what = f"The {last.action} of {last.migration}"
    if last.state == "running":
        return f"{what} is running, or was killed: process {last.pid} on {last.host}."
    return f"{what} failed last: `migrate journal {last.migration}` tells why."


def _verdict(report: Report) -> str:
    if report.is_current:
        return words.UP_TO_DATE
    if report.problems:
        count = len(report.problems)
        return "One problem must be solved first." if count == 1 else f"{count} problems must be solved first."
    pending = words.count(len(report.pending), "migration")
    if "--detect" in report.advice:  # a deploy would try to make what is there already
        return f"{pending} not recorded."
    return f"{pending} to apply: run `migrate deploy`."
