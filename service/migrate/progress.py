"""An attempt while it is made: the running row of the journal, which learns how far the work is and how it ended."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from service.migrate import waits
from service.migrate.connection import Connection, Statement, connected
from service.migrate.errors import Overtaken
from service.migrate.tables import CLAIMED, HISTORY, JOURNAL
from service.migrate.waits import Toll, Wait

# How far each backfill of a migration is, by the number of its step as text.
Checkpoints = Mapping[str, Any]
NO_CHECKPOINTS: Checkpoints = {}


class Progress:
    """The running row of the journal. `standing` are the steps that an earlier attempt has left, None where there was
    none; `checkpoints` are what it noted of single steps, by their number; `waits_before` are what the command waited
    for before it could begin. A `note` stays in the row of a success, where a failure has its error."""

    def __init__(
        self,
        connection: Connection,
        row: int,
        migration: str,
        checkpoints: Checkpoints = NO_CHECKPOINTS,
        standing: int | None = None,
        waits_before: tuple[Wait, ...] = (),
    ) -> None:
        self._connection, self._row, self.migration = connection, row, migration
        self.checkpoints, self.standing, self._waits_before = checkpoints, standing, waits_before
        self.duration_ms, self.is_finished, self.note = 0, False, ""

    @property
    def toll(self) -> Toll:
        """What the work loses to the locks of others."""
        return self._connection.toll

    def step(self, done: int, steps: int) -> None:
        self._write("step = ?, steps = ?", [done, steps])

    def keep(self, step: int, checkpoint: dict[str, Any]) -> None:
        """Call in the transaction of what the checkpoint stands for."""
        kept = {**self.checkpoints, str(step): checkpoint}
        self._write("checkpoint = ?", [json.dumps(kept)])
        self.checkpoints = kept

    def keep_waits(self) -> None:
        """Between two tries, so that the journal has them also of a process that is killed while it waits."""
        self._write("waits = ?", [self._waits()])

    def mark(self, step: int, has_begun: bool) -> None:
        """Note that a step that has no transaction begins, or that it has ended with an error."""
        self.keep(step, {"begun": has_begun})

    def has_begun(self, step: int) -> bool:
        return bool(self.checkpoints.get(str(step), {}).get("begun"))

    def stays_begun(self, step: int) -> bool:
        """Whether the note that it begins has outlived the transaction of a step, which has ended that then."""
        self.checkpoints = {number: kept for number, kept in self.checkpoints.items() if number != str(step)}
        with connected(self._connection) as database:
            kept = database.execute(f"SELECT checkpoint FROM {JOURNAL} WHERE id = ?", [self._row]).fetchone()[0]
        self.checkpoints = json.loads(kept) if kept else NO_CHECKPOINTS
        return self.has_begun(step)

    def applied(self, began: float, *then: Statement) -> Any:
        """Note how long it took, and that it is done. Call in the transaction of the claim: so they agree. `then` is
        said in the same breath; gives the cursor of the last one."""
        duration_ms = round((time.monotonic() - began) * 1000)
        took = f"UPDATE {HISTORY} SET duration_ms = ?, waited_ms = ? WHERE name = ?"
        waited_ms = sum(round(wait.seconds * 1000) for wait in self.toll.write_down()) or None
        noted = (took, [duration_ms, waited_ms, self.migration])
        cursor = self._connection.execute_all(noted, self._outcome("done"), *then)
        self.duration_ms, self.is_finished = duration_ms, True
        return cursor

    def undoing(self) -> Statement:
        """What marks the row of a migration while it is undone: it changes one, or none when somebody was first."""
        return f"UPDATE {HISTORY} SET duration_ms = ? WHERE name = ?", [CLAIMED - self._row, self.migration]

    def is_half_undone(self) -> bool:
        """Whether that very mark has outlived its transaction, which the migration must have ended then."""
        with connected(self._connection) as database:
            marked = f"SELECT 1 FROM {HISTORY} WHERE name = ? AND duration_ms = ?"
            return bool(database.execute(marked, [self.migration, CLAIMED - self._row]).fetchone())

    def finish(self, state: str, error: str | None = None, over: Connection | None = None) -> None:
        self.toll.write_down()
        sql, values = self._outcome(state, error)
        if state == "failed":  # what was committed when a signal came is done all the same
            sql, values = f"{sql} AND state = ?", [*values, "running"]
        (over or self._connection).execute(sql, values)
        self.is_finished = True

    def _outcome(self, state: str, error: str | None = None) -> Statement:
        sql = f"UPDATE {JOURNAL} SET state = ?, error = ?, finished = ?, waits = ? WHERE id = ?"
        return sql, [state, error or self.note or None, now(), self._waits(), self._row]

    def _waits(self) -> str | None:
        return waits.as_text([*self._waits_before, *self.toll.waits()])

    def _write(self, values: str, parameters: Sequence[Any]) -> None:
        """Raises Overtaken where the row is no longer ours: a deploy that holds the lock has closed it, and goes on
        from what it says."""
        cursor = self._connection.execute(
            f"UPDATE {JOURNAL} SET {values} WHERE id = ? AND state = ?", [*parameters, self._row, "running"]
        )
        if cursor.rowcount != 1:
            raise Overtaken


def now() -> str:
    """UTC, as both tables keep it."""
    return datetime.now(UTC).replace(tzinfo=None).isoformat(" ")
