"""Changes to the data of a large table: in batches by primary key, each committed together with how far it came.

Killed anywhere, the next deploy goes on at the next batch, and nobody waits for a row longer than one batch takes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import peewee as pw

from service.migrate.backfilling.rows import CantTogether, Change, Rows
from service.migrate.backfilling.tally import Failure, Key, Tally, named
from service.migrate.errors import Refused, TooManyErrors

# Failures are kept by key up to this number, so that a checkpoint stays small; all are counted.
_KEPT = 100
_MOMENT = 0.1


class Checkpoint(NamedTuple):
    """Where the next batch begins, and what there is to report of those before."""

    after: Key | None = None
    done: int = 0
    failed: int = 0
    failures: tuple[Failure, ...] = ()


@dataclass(frozen=True)
class Care:
    """What the runner does around a backfill: keeps each checkpoint in the batch's own transaction, tries a batch again
    that somebody's lock stopped, passes on how far it is, and has a transaction for each batch of its own."""

    keep: Callable[[dict[str, Any]], None] = lambda _checkpoint: None
    patiently: Callable[[Callable[[], None]], None] = lambda work: work()
    tell: Callable[[Tally], None] = lambda _tally: None
    transaction: Callable[[], AbstractContextManager[Any]] | None = None


class Backfill:
    """One step of a migration. `tally` is for the steps after it, which may report what was done."""

    def __init__(
        self, database: Any, model: Any, change: Change, where: Any, batch: int, pause: float, max_errors: int | None
    ) -> None:
        self._database = database
        self._batch, self._pause, self._max_errors = batch, pause, max_errors
        self._rows = Rows(database, model, _key_of(model), change, where)
        self._checkpoint = Checkpoint()
        self.tally = Tally(model._meta.table_name)

    def resume(self, kept: Mapping[str, Any]) -> None:
        """Go on from what `Care.keep` was given, by this process or by one that is gone."""
        if kept.get("table") != self.tally.table:
            return
        failures = tuple((key, reason) for key, reason in kept["failures"])
        self._checkpoint = Checkpoint(kept["after"], kept["done"], kept["failed"], failures)
        self._count(before=self._checkpoint.done, total=self._checkpoint.done)

    def __call__(self) -> None:
        self.run(Care())

    def run(self, care: Care) -> None:
        """Batch after batch, until no row is left. Raises TooManyErrors; the batches before stand."""
        left = self._rows.count(self._checkpoint.after)
        self._count(before=self._checkpoint.done, total=self._checkpoint.done + left)
        began = time.monotonic()
        care.tell(self.tally)
        if self._checkpoint.failures:
            care.patiently(partial(self._retry, care))
        while not self.tally.is_over:
            care.patiently(partial(self._run_some, care, began))

    def _run_some(self, care: Care, began: float) -> None:
        """Batches for a moment: looking after each of them on its own would take as long as a small one. Tried again,
        it goes on after the last one that stands."""
        until = time.monotonic() + _MOMENT
        while not self.tally.is_over and time.monotonic() < until:
            is_over = not self._next(care)
            self._count(seconds=time.monotonic() - began, is_over=is_over)
            care.tell(self.tally)
            if self._pause and not is_over:
                time.sleep(self._pause)

    def _next(self, care: Care) -> bool:
        """One batch; False when there is no row left."""
        try:
            return self._commit_next(care, one_by_one=False)
        except CantTogether:
            return self._commit_next(care, one_by_one=True)

    def _commit_next(self, care: Care, *, one_by_one: bool) -> bool:
        old = new = self._checkpoint
        with self._transaction(care):
            batch = self._rows.change(old.after, self._batch, one_by_one=one_by_one)
            if batch.last is not None:
                kept = (*old.failures, *batch.failures)[:_KEPT]
                new = Checkpoint(batch.last, old.done + batch.count, old.failed + len(batch.failures), kept)
                self._keep(new, care.keep)
        self._checkpoint = new
        return batch.last is not None

    def _retry(self, care: Care) -> None:
        """What failed in an earlier deploy may be mended by now, the row or the function."""
        old = self._checkpoint
        with self._transaction(care):
            failures = self._rows.change_again([key for key, _ in old.failures])
            new = old._replace(failed=old.failed - len(old.failures) + len(failures), failures=failures)
            self._keep(new, care.keep)
        self._checkpoint = new

    def _keep(self, new: Checkpoint, keep: Callable[[dict[str, Any]], None]) -> None:
        if self._max_errors is not None and new.failed > self._max_errors:
            self._database.last_statement = ""
            raise TooManyErrors(self.tally.table, new.failed, self._max_errors, named(new.failures, new.failed))
        keep({"table": self.tally.table, **new._asdict()})

    @contextmanager
    def _transaction(self, care: Care) -> Iterator[None]:
        self._database.is_in_batch = True
        try:
            with (care.transaction or self._database.atomic)():
                yield
        finally:
            self._database.is_in_batch = False

    def _count(self, *, total: int = 0, **changed: Any) -> None:
        """More may be done than were there at first: rows come in meanwhile."""
        now = self._checkpoint
        total = max(total or self.tally.total, now.done)
        changed |= {"total": total, "done": now.done, "failed": now.failed, "failures": now.failures}
        self.tally = self.tally._replace(**changed)


def _key_of(model: Any) -> Any:
    """The field that orders the batches. Raises Refused for a key that can't."""
    key, table = model._meta.primary_key, model._meta.table_name
    if not key or isinstance(key, pw.CompositeKey):
        what = f"the key of {table} is {', '.join(key.field_names)}" if key else f"{table} has none"
        raise Refused(
            f"A backfill goes through a table by a primary key of one column, and {what}; use migrator.run with a "
            "function of your own."
        )
    kind = key
    while isinstance(kind, pw.ForeignKeyField):
        kind = kind.rel_field
    if not isinstance(kind, pw.IntegerField | pw.CharField | pw.TextField | pw.UUIDField):
        raise Refused(f"A backfill needs a key of integers, text or UUIDs; that of {table} is a {type(kind).__name__}.")
    return key
