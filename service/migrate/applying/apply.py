"""One migration, applied or undone on one connection, together with its row in the history."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import TYPE_CHECKING, Any

from service.migrate import files, heal
from service.migrate.applying import claim, contention, failure, interruption, settings
from service.migrate.applying.contention import OnBlocked, Watch
from service.migrate.applying.engine import Engine
from service.migrate.applying.failure import Place
from service.migrate.applying.steps import Step
from service.migrate.applying.transaction import Last, bare, read_only, transaction
from service.migrate.applying.tries import Tries
from service.migrate.connection import Connection, Statement
from service.migrate.errors import BrokenScript, MigrateError, Overtaken, Refused, Unclear
from service.migrate.files import MigrationFile, Outline
from service.migrate.history import AlreadyApplied, History
from service.migrate.interrupt import Stop
from service.migrate.patience import Patience
from service.migrate.progress import Progress
from service.migrate.waits import Took

if TYPE_CHECKING:
    from service.migrate.backfilling.backfill import Backfill
    from service.migrate.backfilling.tally import Tally

Keep = Callable[[dict[str, Any]], None]
_NOT_ATOMIC = "write `atomic = False` at the top of the file (`-- atomic: false` in .sql)"


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
        watch: Watch,
        on_blocked: OnBlocked,
        on_rows: Callable[[str, Tally], None] = lambda _migration, _tally: None,
    ) -> None:
        self._connection, self._history, self._known = connection, history, list(known)
        self._patience, self._on_rows = patience, on_rows
        self._tries = Tries(connection, patience, watch, on_blocked)
        self._engine = Engine(connection, known)
        self._place: Place

    @property
    def _database(self) -> Any:
        """Of the migration that is at work; a try that was given up has left its engine behind."""
        return self._engine.database_of(self._place.file)

    def apply(self, file: MigrationFile, then: MigrationFile | None = None) -> Took | None:
        """Run one migration and record it; None when somebody else did so first. `then` is the one that will be asked
        for next."""
        began, outline = time.monotonic(), files.outline(file)
        try:
            attempt = self._history.attempt("deploy", file.name, in_steps=not outline.atomic)
            with self._explained(file, outline), attempt as progress:
                if outline.atomic:
                    work = functools.partial(self._apply_atomically, file, outline, began, progress, then)
                    self._patiently(progress, work, renew=True)
                else:
                    self._apply_in_steps(file, outline, began, progress)
        except AlreadyApplied:
            return None
        finally:
            self._known.append(file)  # a failure ends the run, so that it is asked for only after a success
        return Took(progress.duration_ms / 1000, progress.toll.waits())

    def undo(self, file: MigrationFile, note: str = "") -> Took:
        """Run one migration's rollback and remove its row; the journal keeps the note."""
        began, outline = time.monotonic(), files.outline(file)
        attempt = self._history.attempt("rollback", file.name, in_steps=not outline.atomic, note=note)
        with self._explained(file, outline, "rollback"), attempt as progress:
            if outline.atomic:
                work = functools.partial(self._undo_atomically, file, outline, progress)
                self._patiently(progress, work, renew=True)
            else:
                self._undo_in_steps(file, outline, progress)
        return Took(time.monotonic() - began, progress.toll.waits())

    def stopped(self, stop: Stop) -> MigrateError | Stop:
        """What to raise after a signal, which may have come before anything was begun."""
        place = getattr(self, "_place", None)
        return interruption.told(stop, self._connection, self._history, place) if place else stop

    def _undo_atomically(self, file: MigrationFile, outline: Outline, progress: Progress) -> None:
        begin = self._transaction(outline, progress.undoing())
        with claim.undone(self._connection, progress, self._place, begin):
            with self._held():
                self._run_together(self._engine.rollback_steps(file))
            self._history.forget(file.name)
            progress.finish("done")

    def _undo_in_steps(self, file: MigrationFile, outline: Outline, progress: Progress) -> None:
        with self._stepped(file, outline, progress, self._engine.rollback_steps):
            self._history.forget(file.name)
            progress.finish("done")

    def _apply_atomically(
        self, file: MigrationFile, outline: Outline, began: float, progress: Progress, then: MigrationFile | None
    ) -> None:
        """The claim comes first: a second runner waits at the unique name, and then finds it taken."""
        down = files.down_checksum(file)
        mine = self._history.claim(file.name, file.checksum, "deploy", breaking=outline.breaking, down=down)
        next_name = then.name if then and files.outline(then).atomic else ""
        last = functools.partial(self._history.applied, progress, began, next_name)
        # The attempt at the next has begun then, so that whatever ends the deploy has something to write.
        begin = self._transaction(outline, mine, last, is_followed=bool(next_name))
        with self._unclaimed(mine), begin as claimed:
            if claimed.rowcount != 1:
                raise AlreadyApplied(file.name)
            with self._held():
                self._run_together(self._engine.steps(file))

    def _apply_in_steps(self, file: MigrationFile, outline: Outline, began: float, progress: Progress) -> None:
        with self._stepped(file, outline, progress, self._engine.steps):
            down = files.down_checksum(file)
            if not self._history.record(file.name, file.checksum, "deploy", breaking=outline.breaking, down=down):
                raise AlreadyApplied(file.name)
            progress.applied(began)

    @contextmanager
    def _stepped(
        self, file: MigrationFile, outline: Outline, progress: Progress, collect: Callable[[MigrationFile], list[Step]]
    ) -> Iterator[None]:
        """Each step is committed with its entry in the journal; who comes next goes on where this one was killed. The
        block is the end of it, in a transaction of its own."""
        with read_only(self._connection, self._database), self._database.held():
            steps, done = collect(file), progress.standing or 0
        progress.step(done, len(steps))
        self._place.done, self._place.total = done, len(steps)
        for number, step in enumerate(steps, start=1):
            self._place.line = step.line
            settings.refuse_to_move(step.sql)
            if step.backfill:
                step.backfill.resume(progress.checkpoints.get(str(number), {}))
        for number, step in enumerate(steps[done:], start=done + 1):
            if step.backfill:
                self._run_backfill(progress, step.backfill, step.line, functools.partial(progress.keep, number))
                progress.step(number, len(steps))
            else:
                take = functools.partial(self._take, file, outline, step, progress, number)
                self._patiently(progress, functools.partial(take, len(steps)))
            self._place.done, self._place.tally = number, None
        with self._connection.transaction():
            settings.reset(self._connection, set())
            progress.step(len(steps), len(steps))
            yield

    def _take(
        self, file: MigrationFile, outline: Outline, step: Step, progress: Progress, number: int, total: int
    ) -> None:
        """One step: in a transaction with its entry, unless the database wants the statement outside of any."""
        if not heal.stands_alone(step.sql) and not progress.has_begun(number):
            try:
                begin = self._transaction(outline)
                with claim.stepped(self._connection, self._database, progress, self._place, number, begin, step.sql):
                    self._run([step])
                return
            except Exception as error:
                if self._place.has_ended or not heal.refuses_transaction(error):
                    raise
        has_happened = progress.has_begun(number) and heal.has_happened(self._connection, step.sql)
        if has_happened is None:
            raise Unclear(file.name, number, total, step.sql, self._place.command)
        if not has_happened:
            self._run_alone(step, functools.partial(progress.mark, number))
        progress.step(number, total)

    def _patiently(self, progress: Progress, work: Callable[[], None], *, renew: bool = False) -> None:
        """Do the work, several times if need be. `renew` is for work that collects its steps itself: a failed try has
        changed what the engine knew of the tables."""
        self._tries.make(progress, self._place, work, self._renew if renew else lambda: None)

    def _renew(self) -> None:
        self._engine = Engine(self._connection, self._known)

    def _run_backfill(self, progress: Progress, backfill: Backfill, line: int, keep: Keep) -> None:
        """Each batch has its own transaction, and its own patience."""
        from service.migrate.backfilling.backfill import Care

        def tell(tally: Tally) -> None:
            self._place.tally = tally
            self._on_rows(progress.migration, tally)

        self._place.line, self._database.is_atomic = line, False
        begun = functools.partial(bare, self._connection, self._database, self._patience)
        backfill.run(Care(keep, functools.partial(self._patiently, progress), tell, begun))

    def _run_alone(self, step: Step, mark: Callable[[bool], None]) -> None:
        """A statement outside of any transaction, marked before it begins; one that fails has ended."""
        self._database.is_atomic = False
        heal.clear_half_made(self._connection, step.sql)
        contention.set_timeouts(self._connection, self._patience, is_concurrent=heal.is_concurrent(step.sql))
        mark(True)
        try:
            self._run([step])
        except Exception:
            with suppress(Exception):  # where the connection is lost, nobody knows whether the statement has ended
                mark(False)
            raise

    def _run_together(self, steps: Sequence[Step]) -> None:
        """The steps of an atomic migration."""
        if any(step.backfill for step in steps):
            raise Refused(f"A backfill commits each of its batches: {_NOT_ATOMIC}.")
        if any(heal.is_concurrent(step.sql) for step in steps):
            raise Refused(f"CONCURRENTLY works outside a transaction only: {_NOT_ATOMIC}.")
        self._run(steps)
        if not self._database.has_only_added:
            settings.reset(self._connection, self._database.spoken_of)

    def _run(self, steps: Sequence[Step]) -> None:
        for step in steps:
            self._place.line = step.line
            settings.refuse_to_lose(self._connection, self._database, step.sql)
            step.run()

    def _transaction(
        self, outline: Outline, first: Statement | None = None, last: Last | None = None, *, is_followed: bool = False
    ) -> AbstractContextManager[Any]:
        connection, database, touches = self._connection, self._database, outline.touches
        return transaction(connection, database, self._patience, touches, first, last, is_followed=is_followed)

    def _unclaimed(self, mine: Statement) -> AbstractContextManager[None]:
        return claim.taken_back(self._connection, self._history, self._place, mine)

    def _held(self) -> AbstractContextManager[None]:
        return claim.held(self._connection, self._database, self._history, self._place)

    @contextmanager
    def _explained(self, file: MigrationFile, outline: Outline, command: str = "deploy") -> Iterator[None]:
        self._place = Place(file, command)
        self._database.last_statement = ""
        try:
            yield
        except (AlreadyApplied, BrokenScript, Overtaken, Unclear, KeyboardInterrupt):
            raise
        except BaseException as error:  # a file that asks the process to end has failed too
            statement = self._database.last_statement
            url = self._connection.url
            raise failure.of(error, self._place, statement, url, is_atomic=outline.atomic) from error
