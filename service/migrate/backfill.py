"""Changes to the data of a large table: in batches by primary key, each committed together with how far it came.

Killed anywhere, the next deploy goes on at the next batch, and nobody waits for a row longer than one batch takes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

import peewee as pw

from service.migrate.errors import TooManyErrors
from service.migrate.rows import Change, Rows
from service.migrate.tally import Failure, Key, Tally, named

# Failures are kept by key up to this number, so that a checkpoint stays small; all are counted.
_KEPT = 100


@dataclass(frozen=True)
class Checkpoint:
    """Where the next batch begins, and what there is to report of those before."""

    after: Key | None = None
    done: int = 0
    failed: int = 0
    failures: tuple[Failure, ...] = ()


@dataclass(frozen=True)
class Care:
    """What the runner does around a backfill: keeps each checkpoint in the batch's own transaction, tries a batch again
    that somebody's lock stopped, and passes on how far it is."""

    keep: Callable[[dict[str, Any]], None] = lambda _checkpoint: None
    patiently: Callable[[Callable[[], None]], None] = lambda work: work()
    tell: Callable[[Tally], None] = lambda _tally: None


class Backfill:
    """One step of a migration. `tally` is for the steps after it, which may report what was done."""

    def __init__(
        self, database: Any, model: Any, change: Change, where: Any, batch: int, pause: float, max_errors: int | None
    ) -> None:
        self._database, self._model, self._where = database, model, where
        self._batch, self._pause, self._max_errors = batch, pause, max_errors
        self._rows = Rows(database, model, change)
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
        left = self._model.select().where(self._selected()).count()
        self._count(before=self._checkpoint.done, total=self._checkpoint.done + left)
        began = time.monotonic()
        care.tell(self.tally)
        if self._checkpoint.failures:
            care.patiently(partial(self._retry, care.keep))
        while self._advance(care):
            self._count(seconds=time.monotonic() - began)
            care.tell(self.tally)
            time.sleep(self._pause)
        self._count(seconds=time.monotonic() - began, is_over=True)
        care.tell(self.tally)

    def _advance(self, care: Care) -> bool:
        """The next batch; False when there was none."""
        done = self._checkpoint.done
        care.patiently(partial(self._next, care.keep))
        return self._checkpoint.done > done

    def _next(self, keep: Callable[[dict[str, Any]], None]) -> None:
        old = self._checkpoint
        with self._transaction():
            keys, failures = self._rows.change(self._selected(), self._batch)
            if keys:
                failed = old.failed + len(failures)
                kept = (*old.failures, *failures)[:_KEPT]
                new = Checkpoint(keys[-1], old.done + len(keys), failed, kept)
                self._keep(new, keep)
        if keys:
            self._checkpoint = new

    def _retry(self, keep: Callable[[dict[str, Any]], None]) -> None:
        """What failed in an earlier deploy may be mended by now, the row or the function."""
        old = self._checkpoint
        again = self._rows.key.in_([key for key, _ in old.failures])
        with self._transaction():
            _, failures = self._rows.change(self._asked(again), None)
            failed = old.failed - len(old.failures) + len(failures)
            new = replace(old, failed=failed, failures=tuple(failures))
            self._keep(new, keep)
        self._checkpoint = new

    def _keep(self, new: Checkpoint, keep: Callable[[dict[str, Any]], None]) -> None:
        if self._max_errors is not None and new.failed > self._max_errors:
            self._database.last_statement = ""
            raise TooManyErrors(self.tally.table, new.failed, self._max_errors, named(new.failures, new.failed))
        keep({"table": self.tally.table, **asdict(new)})

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        database = self._database
        database.is_in_batch = True
        try:
            with database.atomic(*["IMMEDIATE"] * self._rows.is_sqlite):
                yield
        finally:
            database.is_in_batch = False

    def _selected(self) -> Any:
        """What is left to do."""
        after = self._checkpoint.after
        return self._asked(pw.SQL("1 = 1") if after is None else self._rows.key > after)

    def _asked(self, condition: Any) -> Any:
        """Of these rows the ones that the migration asked for."""
        return condition if self._where is None else condition & self._where

    def _count(self, **changed: Any) -> None:
        now = self._checkpoint
        tally = replace(self.tally, done=now.done, failed=now.failed, failures=now.failures, **changed)
        self.tally = replace(tally, total=max(tally.total, tally.done))
