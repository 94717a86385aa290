"""One migration, applied or undone on one connection, together with its row in the history."""

from __future__ import annotations

import functools
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from service.migrate import conserve, contention, files, heal
from service.migrate.backfill import Backfill, Care
from service.migrate.connection import Connection, explain
from service.migrate.contention import OnBlocked, Patience, Watch
from service.migrate.engine import Engine, Step, line_of_traceback
from service.migrate.errors import BrokenScript, MigrationFailed, Refused
from service.migrate.files import MigrationFile, Outline
from service.migrate.history import NO_CHECKPOINTS, History, Progress
from service.migrate.tally import Tally

Keep = Callable[[dict[str, Any]], None]
# A row of SQLite's foreign_key_check: table, rowid, the table it points to.
Violation = tuple[str, int, str]
_LOST = "this would be lost without having been declared:"


class _AlreadyApplied(Exception):
    """Another process committed this migration while we prepared to."""


class Applier:
    """Applies migrations in turn; `known` are those that the database has already. `on_blocked` hears before each new
    try: which migration, the number of the try and of all tries, and who blocked the last one. `on_rows` hears after
    each batch of a backfill how far it is."""

    def __init__(
        self,
        connection: Connection,
        history: History,
        known: Sequence[MigrationFile],
        patience: Patience,
        on_blocked: OnBlocked,
        on_rows: Callable[[str, Tally], None] = lambda _migration, _tally: None,
    ) -> None:
        self._connection, self._history, self._known = connection, history, list(known)
        self._patience, self._on_blocked, self._on_rows = patience, on_blocked, on_rows
        self._engine = Engine(connection, known)
        self._line = 0
        self._standing = (0, 0)
        self._tally: Tally | None = None
        self._blockers: list[str] = []

    def apply(self, file: MigrationFile) -> float | None:
        """Run one migration and record it; the seconds it took, or None when somebody else did so first."""
        began, outline = time.monotonic(), files.outline(file)
        standing = None if outline.atomic else self._history.interrupted_at(file.name)
        kept = NO_CHECKPOINTS if standing is None else self._history.checkpoints(file.name)
        try:
            attempt = self._history.attempt("deploy", file.name, standing or 0, kept)
            with self._explained(file, outline), attempt as progress:
                if outline.atomic:
                    self._patiently(file, lambda: self._apply_atomically(file, outline, began))
                else:
                    self._apply_in_steps(file, outline, began, progress, standing)
        except _AlreadyApplied:
            return None
        finally:
            self._known.append(file)  # a failure ends the run, so that it is asked for only after a success
        return time.monotonic() - began

    def undo(self, file: MigrationFile) -> float:
        """Run one migration's rollback and remove its row; the seconds it took."""
        began, outline = time.monotonic(), files.outline(file)
        with self._explained(file, outline), self._history.attempt("rollback", file.name):
            if outline.atomic:
                self._patiently(file, lambda: self._undo_atomically(file, outline))
            else:
                self._engine.database.is_atomic = False
                for step in self._engine.rollback_steps(file):
                    self._patiently(file, functools.partial(self._run_alone, step))
                self._history.forget(file.name)
        return time.monotonic() - began

    def _undo_atomically(self, file: MigrationFile, outline: Outline) -> None:
        with self._transaction(outline):
            self._run_together(self._engine.rollback_steps(file))
            self._history.forget(file.name)

    def _apply_atomically(self, file: MigrationFile, outline: Outline, began: float) -> None:
        """The claim comes first: a second runner waits at the unique name, and then finds it taken."""
        with self._transaction(outline):
            self._claim(file, outline)
            self._run_together(self._engine.steps(file))
            self._history.time(file.name, _milliseconds(began))

    def _apply_in_steps(
        self, file: MigrationFile, outline: Outline, began: float, progress: Progress, standing: int | None
    ) -> None:
        """Outside a transaction, each step journalled, so that the next deploy goes on where this one was killed."""
        self._engine.database.is_atomic = False
        steps, done = self._engine.steps(file), standing or 0
        self._note(progress, done, len(steps))
        if standing is not None and done < len(steps) and heal.clear_half_made(self._connection, steps[done].sql):
            done += 1
        for number, step in enumerate(steps, start=1):
            if isinstance(step.run, Backfill):
                step.run.resume(progress.checkpoints.get(str(number), {}))
        for number, step in enumerate(steps[done:], start=done + 1):
            if isinstance(step.run, Backfill):
                self._run_backfill(file, step.run, step.line, functools.partial(progress.keep, number))
            else:
                self._patiently(file, functools.partial(self._run_alone, step))
            self._note(progress, number, len(steps))
        with self._connection.transaction():
            self._claim(file, outline)
            self._history.time(file.name, _milliseconds(began))

    def _claim(self, file: MigrationFile, outline: Outline) -> None:
        if not self._history.record(file.name, file.checksum, "deploy", breaking=outline.breaking):
            raise _AlreadyApplied(file.name)

    def _patiently(self, file: MigrationFile, work: Callable[[], None]) -> None:
        """Do the work; where somebody else's lock stops it, do it again later, a limited number of times."""
        for attempt in range(1, self._patience.attempts + 1):
            with Watch(self._connection) as watch:
                try:
                    work()
                    return
                except Exception as error:
                    if not contention.is_contention(error) or attempt == self._patience.attempts:
                        raise
                finally:
                    self._blockers = watch.blockers
            self._on_blocked(file.name, attempt + 1, self._patience.attempts, self._blockers)
            time.sleep(contention.pause_before(attempt + 1))
            if self._engine.database.is_atomic:
                self._engine = Engine(self._connection, self._known)  # the failed try has changed what the old one knew

    def _run_backfill(self, file: MigrationFile, backfill: Backfill, line: int, keep: Keep) -> None:
        """Each batch has its own transaction, and its own patience."""

        def tell(tally: Tally) -> None:
            self._tally = tally
            self._on_rows(file.name, tally)

        self._line = line
        contention.set_timeouts(self._connection, self._patience, is_local=False)
        backfill.run(Care(keep, functools.partial(self._patiently, file), tell))

    def _run_alone(self, step: Step) -> None:
        """One step of a migration that is not atomic."""
        is_concurrent = "CONCURRENTLY" in step.sql.upper()
        contention.set_timeouts(self._connection, self._patience, is_local=False, is_concurrent=is_concurrent)
        self._run([step])

    def _run_together(self, steps: Sequence[Step]) -> None:
        """The steps of an atomic migration."""
        if any(isinstance(step.run, Backfill) for step in steps):
            raise Refused("A backfill commits each of its batches: write `atomic = False` at the top of the file.")
        self._run(steps)

    def _run(self, steps: Sequence[Step]) -> None:
        for step in steps:
            self._line = step.line
            step.run()

    def _note(self, progress: Progress, done: int, total: int) -> None:
        self._standing, self._tally = (done, total), None
        progress.step(done, total)

    @contextmanager
    def _transaction(self, outline: Outline) -> Iterator[None]:
        """Everything or nothing, and nothing that was not declared."""
        self._engine.database.is_atomic = True
        with self._sqlite_transaction() if self._connection.is_sqlite else self._engine.database.atomic():
            contention.set_timeouts(self._connection, self._patience, is_local=True)
            with self._conserved(outline):
                yield

    @contextmanager
    def _sqlite_transaction(self) -> Iterator[None]:
        """The foreign keys are off meanwhile, since a table that is rebuilt would take its children along, and checked
        before the commit (SQLite manual, "Making Other Kinds Of Table Schema Changes"). The pragma does nothing inside
        a transaction, so it comes first."""
        self._connection.execute("PRAGMA foreign_keys = OFF")
        try:
            with self._engine.database.atomic("IMMEDIATE"):
                before = self._violations()
                yield
                refuse_orphans(self._violations() - before)
        finally:
            self._connection.execute("PRAGMA foreign_keys = ON")

    @contextmanager
    def _conserved(self, outline: Outline) -> Iterator[None]:
        database = self._engine.database
        database.forget()
        before = conserve.take(self._connection)
        yield
        spoken_of = database.spoken_of | outline.touches
        lost = conserve.losses(before, conserve.take(self._connection), spoken_of, database.rebuilt)
        if lost:
            raise Refused(f"{_LOST} {', '.join(lost)}")

    def _violations(self) -> set[Violation]:
        return {row[:3] for row in self._connection.execute("PRAGMA foreign_key_check").fetchall()}

    @contextmanager
    def _explained(self, file: MigrationFile, outline: Outline) -> Iterator[None]:
        """Turn whatever a migration raises into one message: which file, which line, which statement, what remains."""
        self._line, self._standing, self._tally, self._engine.database.last_statement = 0, (0, 0), None, ""
        try:
            yield
        except (_AlreadyApplied, BrokenScript):
            raise
        except (Exception, SystemExit) as error:  # a file that asks the process to end has failed
            line = line_of_traceback(error.__traceback__, str(file.path)) or self._line
            raise MigrationFailed(
                file.name,
                f"{file.path.name}, line {line}" if line else file.path.name,
                self._engine.database.last_statement,
                explain(error),
                "it was rolled back and nothing of it remains." if outline.atomic else self._what_stands(),
                _hint(file, explain(error), self._blockers if contention.is_contention(error) else []),
            ) from error

    def _what_stands(self) -> str:
        (done, total), tally = self._standing, self._tally
        parts = [f"steps 1 to {done} of {total}"] if done else []
        parts += [f"{tally.done:,} of {tally.total:,} rows of {tally.table}"] if tally and tally.done else []
        if not parts:
            return "it is not atomic, and none of its steps is known to stand."
        return f"it is not atomic: {' and '.join(parts)} stand, and the next deploy goes on after them."


def refuse_orphans(orphans: set[Violation]) -> None:
    """Raise Refused with what would be lost where rows point to rows that are no longer there."""
    counts = Counter((child, parent) for child, _, parent in orphans)
    if counts:
        lost = ", ".join(f"{count} of {child} to {parent}" for (child, parent), count in sorted(counts.items()))
        raise Refused(f"rows would point to rows that are not there ({lost})")


def _hint(file: MigrationFile, reason: str, blockers: Sequence[str]) -> str:
    if reason.startswith(_LOST):
        return f'If that is meant, name the tables at the top of {file.path.name}: touches = ["…"]'
    if blockers:
        return f"Blocked by {'; '.join(blockers)}. Deploy again when that has ended, or allow more with --attempts."
    if "already exists" in reason or "duplicate column" in reason:
        return (
            "If the database already has all that this migration makes, record it: "
            f"migrate resolve --applied {file.name} (or see how far it is: migrate resolve --detect)"
        )
    return f"Correct {file.path.name} and deploy again."


def _milliseconds(began: float) -> int:
    return round((time.monotonic() - began) * 1000)
