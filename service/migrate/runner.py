"""The use cases: deploy, roll back, resolve. Decides under the lock, reports to the caller, prints nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from service.migrate import files, plan, tables
from service.migrate.applying import warmup
from service.migrate.connection import Connection
from service.migrate.errors import BrokenScript, Problem, Refused, Unproven
from service.migrate.history import History
from service.migrate.ledger import Ledger
from service.migrate.plan import Entry, Plan
from service.migrate.session import Event, Outcome, Target, connected, locked

if TYPE_CHECKING:
    from service.migrate.applying.apply import Applier
    from service.migrate.backfilling.tally import Tally
    from service.migrate.proving.proof import Detection, Proof

_BY_ANOTHER = "applied by another deploy meanwhile"


def deploy(target: Target, *, out_of_order: bool = False, only: int | None = None) -> Outcome:
    """Apply what is pending. A no-op takes one connection and no lock, and imports nothing but the driver.
    Raises Refused before anything has changed, MigrationFailed after rolling back the migration that failed."""
    found = files.scan(target.folder)
    with connected(target) as database:
        ledger = History(database).read()
        # What is still running, or was killed, is somebody's until we have the lock; only then we can judge it.
        decided = (
            plan.make_plan(found, ledger) if ledger.unfinished else decide(found, ledger, out_of_order=out_of_order)
        )
        done: list[Event] = []
        waits = database.waits
        if _has_work(ledger, decided):
            if not database.is_sqlite:
                warmup.begin(decided.pending)
            with locked(target, database) as history:
                waits = history.waits_before
                decided = decide(found, history.read(), out_of_order=out_of_order)
                history.adopt(decided.to_adopt)
                done = list(_apply(target, database, history, decided, only))
    ahead = tuple(row.name for row in decided.ahead)
    return Outcome(tuple(done), _newest(decided, done), len(decided.entries), ahead, waits)


def decide(found: Sequence[files.MigrationFile], ledger: Ledger, *, out_of_order: bool = False) -> Plan:
    """What a deploy would do. Raises Refused with everything that is in its way."""
    decided = plan.make_plan(found, ledger, out_of_order=out_of_order)
    problems = [*decided.problems, *(problem for file in decided.pending for problem in files.review(file))]
    if problems:
        raise Refused(problems)
    return decided


def rollback(
    target: Target, *, to: str | None = None, forced_because: str = "", confirm: Callable[[Sequence[str]], None]
) -> Outcome:
    """Undo the newest migration, or every one after `to`; `confirm` raises to stop it. One whose file was edited since
    is undone only for a reason, which the journal then keeps."""
    with connected(target) as database, locked(target, database) as history:
        decided = plan.make_plan(files.scan(target.folder), history.read())
        applied = [entry for entry in decided.entries if entry.applied]
        names = _after(to, [entry.name for entry in applied])
        _refuse_to_undo([entry for entry in applied if entry.name in names], forced_because)
        known = [entry.file for entry in applied if entry.file]
        if names:
            confirm(names)
        done = []
        while known and known[-1].name in names:
            with _applier(target, database, history, known) as applier:
                took = applier.undo(known[-1], forced_because)
            done.append(Event("rolled back", known[-1].name, took.seconds, waits=took.waits))
            target.tell(done[-1])
            known.pop()
    return Outcome(tuple(done), known[-1].name if known else "", len(decided.entries))


def resolve(
    target: Target, *, applied: Sequence[str] = (), rolled_back: Sequence[str] = (), forced_because: str = ""
) -> Outcome:
    """Write (or remove) history rows without running anything; doing it twice is not an error. What is recorded as
    applied must be there: raises Unproven with what is not, unless a reason is given, which the journal then keeps."""
    found = {file.name: file for file in files.scan(target.folder)}
    with connected(target) as database:
        ledger = History(database).read()
        rows, undone = ledger.applied, [attempt.migration for attempt in ledger.half_undone]
        whole = [row.name for row in rows if not (row.is_half or row.name in undone)]
        to_record = [plan.resolve_name(name, list(found)) for name in applied]
        to_forget = [plan.resolve_name(name, sorted({*found, *(row.name for row in rows)})) for name in rolled_back]
        to_prove = [name for name in to_record if name not in whole]
        try:
            proofs = _prove(target, database, list(found.values()), to_prove)
        except BrokenScript:
            if not forced_because:
                raise
            proofs = {}
        refuted = [proof for proof in proofs.values() if proof.is_refuted]
        if refuted and not forced_because:
            raise Unproven(refuted[0].migration, refuted[0].missing, refuted[0].left_over)
        done = []
        with locked(target, database) as history:
            for name in to_record:
                with history.attempt("resolve", name, note=forced_because):
                    is_breaking = files.outline(found[name]).breaking
                    down = files.down_checksum(found[name])
                    is_new = history.record(name, found[name].checksum, "resolve", breaking=is_breaking, down=down)
                detail = _evidence(proofs.get(name)) if is_new else "already recorded as applied"
                done.append(Event("recorded" if is_new else "unchanged", name, detail=detail))
            for name in to_forget:
                with history.attempt("forget", name):
                    is_gone = history.forget(name)
                done.append(Event("forgotten" if is_gone else "unchanged", name, detail="not recorded as applied"))
            decided = plan.make_plan(list(found.values()), history.read())
    for event in done:
        target.tell(event)
    return Outcome(tuple(done), decided.newest, len(decided.entries))


def detect(target: Target) -> Detection:
    """Which migrations the live schema proves, from the first on."""
    from service.migrate.proving import proof, schema, shadow

    found = files.scan(target.folder)
    with connected(target) as database:
        tables.refuse_foreign(tables.columns(database))
        states = shadow.snapshots(target.url, found)
        live = schema.take(database, schema.beside(states))
    return proof.detect([file.name for file in found], states, live)


def _prove(
    target: Target, database: Connection, found: Sequence[files.MigrationFile], names: Sequence[str]
) -> dict[str, Proof]:
    """A proof for each of these names; the migrations are replayed in a shadow for it."""
    if not names:
        return {}
    from service.migrate.proving import proof, schema, shadow

    states = shadow.snapshots(target.url, found)
    live = schema.take(database, schema.beside(states))
    return {
        file.name: proof.prove(file.name, states[number], states[number + 1], states[-1], live)
        for number, file in enumerate(found)
        if file.name in names
    }


def _evidence(proof: Proof | None) -> str:
    if proof is None:
        return "nothing was compared, since what it makes can't be worked out"
    if not proof.compared:
        return "it changes no table, so there was nothing to compare"
    return f"{proof.found} of the {proof.compared} things that it changes were compared and found"


def _refuse_to_undo(entries: Sequence[Entry], forced_because: str) -> None:
    """Before anything is undone, say of all of them what can't be, or should not be."""
    lost = [entry.name for entry in entries if entry.file is None]
    if lost:
        raise Refused(f"{lost[-1]} has no file here, so nothing says how to undo it; use the release that has it.")
    edited = [] if forced_because else [problem for entry in entries for problem in _edits(entry)]
    problems = [problem for entry in entries if entry.file for problem in files.no_way_back(entry.file)]
    if edited or problems:
        raise Refused([*edited, *problems])


def _edits(entry: Entry) -> Iterator[Problem]:
    """Of a migration in SQL there are two files; the second may be older than what we keep of it."""
    row, file = entry.applied, entry.file
    if row is None or file is None:
        return
    if row.checksum not in (None, file.checksum):
        yield plan.edited(entry)
    if row.down_checksum and file.down and files.down_checksum(file) != row.down_checksum:
        yield plan.edited(entry, file.down.name)


def _newest(decided: Plan, done: Sequence[Event]) -> str:
    """The newest that is applied now; a thousand rows are not read again to learn what was done."""
    names = {event.migration for event in done}
    return next((entry.name for entry in reversed(decided.entries) if entry.applied or entry.name in names), "")


def _refuse_unless_recorded(history: History, name: str) -> None:
    """What another deploy has applied meanwhile is in the history; else somebody keeps it out."""
    if name not in {row.name for row in history.read().applied}:
        raise Refused(
            f"{name} can't be recorded: its row does not stay in migratehistory. Look for a trigger or a rule on that "
            "table, and take it away."
        )


def _has_work(ledger: Ledger, decided: Plan) -> bool:
    is_foreign = bool(ledger.applied) and not ledger.is_ours
    return bool(decided.pending or decided.to_adopt or ledger.unfinished or is_foreign)


def _apply(target: Target, database: Connection, history: History, decided: Plan, only: int | None) -> Iterator[Event]:
    pending = decided.pending[:only]
    if not pending:
        return
    is_python = not all(file.is_sql for file in pending)
    target.tell(Event("starting", detail=str(len(pending)), is_python=is_python))
    known = [entry.file for entry in decided.entries if entry.applied and entry.file]
    with _applier(target, database, history, known) as applier:
        for file, then in zip(pending, (*pending[1:], None), strict=True):
            took = applier.apply(file, then)
            if took is None:
                _refuse_unless_recorded(history, file.name)
            event = (
                Event("applied", file.name, took.seconds, waits=took.waits)
                if took
                else Event("unchanged", file.name, detail=_BY_ANOTHER)
            )
            target.tell(event)
            yield event


@contextmanager
def _applier(
    target: Target, database: Connection, history: History, known: Sequence[files.MigrationFile]
) -> Iterator[Applier]:
    from service.migrate import interrupt
    from service.migrate.applying.apply import Applier  # here: a no-op does without
    from service.migrate.applying.contention import Watch

    def on_blocked(migration: str, attempt: int, attempts: int, blockers: Sequence[str]) -> None:
        detail = f"attempt {attempt} of {attempts} follows; blocked by {'; '.join(blockers) or 'another connection'}"
        target.tell(Event("blocked", migration, detail=detail))

    def on_rows(migration: str, tally: Tally) -> None:
        target.tell(Event("backfilling", migration, tally.seconds, tally=tally))

    with Watch(database) as watch:
        applier = Applier(database, history, known, target.patience, watch, on_blocked, on_rows)
        try:
            with interrupt.heard(database):
                yield applier
        except interrupt.Stop as stop:
            raise applier.stopped(stop) from stop


def _after(to: str | None, names: Sequence[str]) -> Sequence[str]:
    if to is None:
        return names[-1:]
    return names[names.index(plan.resolve_name(to, names)) + 1 :]
