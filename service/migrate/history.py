"""The rows of the runner's own two tables, and the only SQL on them, in plain DB-API.

`migratehistory` is peewee-migrate's (id, name, migrated_at), with our columns added: a row means that the migration is
applied, unless it is `CLAIMED` or less. `migratejournal` remembers every attempt; it is append-only but for the outcome
of the row that is running. All times are UTC.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Sequence, Set
from contextlib import contextmanager, suppress
from functools import lru_cache
from typing import Any

from service.migrate import heal, tables, waits
from service.migrate.connection import HOST, Connection, Statement, connected, explain
from service.migrate.errors import Overtaken
from service.migrate.ledger import Applied, Attempt, Ledger
from service.migrate.progress import NO_CHECKPOINTS, Checkpoints, Progress, now
from service.migrate.tables import ADDED, CLAIMED, HISTORY, JOURNAL, OURS
from service.migrate.waits import Toll, Wait
from service.migrate.words import moment

_JOURNAL_COLUMNS = (
    "action, migration, step, steps, state, error, started, finished, host, pid, release"  # in the order of Attempt
)
# To record as applied what stopped half-way is to complete its row.
_COMPLETES = f"""
    DO UPDATE SET migrated_at = excluded.migrated_at, checksum = excluded.checksum, release = excluded.release,
    origin = excluded.origin, breaking = excluded.breaking, down_checksum = excluded.down_checksum, duration_ms = NULL
    WHERE {HISTORY}.duration_ms <= {CLAIMED}
"""
# Of the attempt that this session has begun last.
_NUMBER: Statement = (f"SELECT currval(pg_get_serial_sequence('{JOURNAL}', 'id'))", ())
# The newest attempt at a migration is a rollback in which a step stands, or has begun.
_HALF_UNDONE = ("rollback", "failed", '{"1": {"begun": false}}')
_UNSETTLED = f"""
    AS j WHERE state = ? OR (action = ? AND state = ? AND (step > 0 OR (steps > 0 AND checkpoint <> ?))
    AND NOT EXISTS (SELECT 1 FROM {JOURNAL} AS later WHERE later.migration = j.migration AND later.id > j.id))
    ORDER BY id
"""


class AlreadyApplied(Exception):
    """Another process has recorded this migration while we prepared to."""


class History:
    """`waits_before` are what the command has waited for already; the first attempt keeps them."""

    def __init__(self, connection: Connection, release: str = "", waits_before: tuple[Wait, ...] = ()) -> None:
        self._connection, self._release = connection, release or None
        self.waits_before = self._waits_to_keep = waits_before
        self._begun: Progress | None = None

    def read(self) -> Ledger:
        """Everything that a plan needs, in at most three queries; changes nothing."""
        columns = tables.columns(self._connection)
        tables.refuse_foreign(columns)
        if not columns[HISTORY]:
            return Ledger(False, ())
        wanted = _selected(("name", "migrated_at", *OURS, *ADDED[HISTORY]), columns[HISTORY])
        applied = _all_applied(
            tuple(self._connection.execute(f"SELECT {wanted} FROM {HISTORY} ORDER BY id").fetchall())
        )
        is_ours = set(OURS) <= columns[HISTORY] and "checkpoint" in columns[JOURNAL]
        attempts = self._attempts(_UNSETTLED, ["running", *_HALF_UNDONE], columns[JOURNAL]) if is_ours else ()
        running = tuple(attempt for attempt in attempts if attempt.state == "running")
        half_undone = tuple(attempt for attempt in attempts if attempt.action == "rollback" and attempt.steps)
        return Ledger(is_ours, applied, running, half_undone)

    def attempts(self, limit: int = 50, migration: str = "") -> tuple[Attempt, ...]:
        """The newest attempts first, at all migrations or at one."""
        found = tables.columns(self._connection)
        tables.refuse_foreign(found)
        columns = found[JOURNAL]
        if not columns:
            return ()
        where, named = ("WHERE migration = ?", [migration]) if migration else ("", [])
        return self._attempts(f"{where} ORDER BY id DESC LIMIT ?", [*named, limit], columns)

    def record(
        self, name: str, checksum: str | None, origin: str, *, breaking: bool = False, down: str | None = None
    ) -> bool:
        """Write the row that means: applied. False when somebody else's row is there already."""
        claim = self.claim(name, checksum, origin, breaking=breaking, down=down)
        return int(self._connection.execute(*claim).rowcount) == 1

    def claim(self, name: str, checksum: str | None, origin: str, *, breaking: bool, down: str | None) -> Statement:
        """What writes that row: it changes one, or none when somebody was first."""
        is_deploy = origin == "deploy"
        sql = (
            f"INSERT INTO {HISTORY}"
            " (name, migrated_at, checksum, release, origin, breaking, down_checksum, duration_ms)"
            f" VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (name) {'DO NOTHING' if is_deploy else _COMPLETES}"
        )
        duration_ms = CLAIMED if is_deploy else None
        return sql, [name, now(), checksum, self._release, origin, int(breaking), down, duration_ms]

    def take_back(self, claim: Statement) -> bool:
        """Remove the row that this very claim has written; False where it is not there, as after a rollback, or the
        migration has been done, as when a signal comes after the commit."""
        mine, (name, at, *_) = f"WHERE name = ? AND migrated_at = ? AND duration_ms = {CLAIMED}", claim[1]
        with connected(self._connection) as database:
            if not database.execute(f"SELECT 1 FROM {HISTORY} {mine}", [name, at]).fetchone():
                return False  # nothing is written, for which SQLite might have to wait
            return int(database.execute(f"DELETE FROM {HISTORY} {mine}", [name, at]).rowcount) == 1

    def adopt(self, checksums: Sequence[tuple[str, str]]) -> None:
        """Trust the files, as they are now, for migrations that were applied before we kept checksums."""
        if not checksums:
            return
        with self._connection.transaction():
            for name, checksum in checksums:
                self._connection.execute(
                    f"UPDATE {HISTORY} SET checksum = ?, origin = ? WHERE name = ? AND checksum IS NULL",
                    [checksum, "adopt", name],
                )

    def forget(self, name: str) -> bool:
        """Remove the row; False when there was none."""
        return int(self._connection.execute(f"DELETE FROM {HISTORY} WHERE name = ?", [name]).rowcount) == 1

    def has(self, name: str) -> bool:
        return bool(self._connection.execute(f"SELECT 1 FROM {HISTORY} WHERE name = ?", [name]).fetchone())

    def close_abandoned(self, because: str = "the process was killed") -> None:
        """Mark what a killed process left running. Call under the lock: nobody else can be running anything."""
        self._connection.execute(
            f"UPDATE {JOURNAL} SET state = ?, error = ?, finished = ? WHERE state = ?",
            ["failed", because, now(), "running"],
        )

    @contextmanager
    def attempt(self, action: str, migration: str, *, in_steps: bool = False, note: str = "") -> Iterator[Progress]:
        """A journal row around some work, outside the work's own transaction, so that a failure is remembered. Work
        `in_steps` goes on where an earlier attempt stopped; where that has lost the lock and is still at it, it is
        stopped at its next step."""
        begun, self._begun = self._begun, None
        self._connection.toll = Toll()
        if in_steps:
            with self._connection.transaction():
                progress = self._begin(action, migration, *self._take_over(action, migration))
        elif begun and begun.migration == migration:
            progress = begun
        else:
            progress = self._begin(action, migration)
        progress.note = note
        try:
            yield progress
        except BaseException as error:
            with suppress(Exception), connected(self._connection) as database:  # the first error is the one that counts
                progress.finish("failed", f"{type(error).__name__}: {explain(error)}", database)
            raise
        if not progress.is_finished:
            progress.finish("done")

    def applied(self, progress: Progress, began: float, then: str, *commit: Statement) -> None:
        """As progress.applied; the attempt at what comes `then`, if anything does, begins in the same transaction,
        which saves a commit. `commit` is said in the same breath."""
        if not then:
            progress.applied(began, *commit)
            return
        number = [_NUMBER] if commit else []  # what the INSERT returns is lost behind the answer to COMMIT
        cursor = progress.applied(began, self._beginning("deploy", then), *commit, *number)
        self._begun = Progress(self._connection, cursor.fetchone()[0], then)

    def _begin(
        self, action: str, migration: str, step: int | None = None, checkpoints: Checkpoints = NO_CHECKPOINTS
    ) -> Progress:
        asked = time.monotonic()
        cursor = self._connection.execute(*self._beginning(action, migration, step, checkpoints))
        self._connection.has_begun(time.monotonic() - asked)
        waits_before, self._waits_to_keep = self._waits_to_keep, ()
        return Progress(self._connection, cursor.fetchone()[0], migration, checkpoints, step, waits_before)

    def _beginning(
        self, action: str, migration: str, step: int | None = None, checkpoints: Checkpoints = NO_CHECKPOINTS
    ) -> Statement:
        kept = json.dumps(checkpoints) if checkpoints else None
        values = [action, migration, step or 0, 0, "running", None, now(), None, HOST, os.getpid(), self._release]
        marks = ", ".join("?" * (len(values) + 1))
        sql = f"INSERT INTO {JOURNAL} ({_JOURNAL_COLUMNS}, checkpoint) VALUES ({marks}) RETURNING id"
        return sql, [*values, kept]

    def _take_over(self, action: str, migration: str) -> tuple[int | None, Checkpoints]:
        """How many steps stand of an attempt that did not finish, and what it kept; None where there is none."""
        if not self._connection.is_sqlite:
            running = f"SELECT host, pid FROM {JOURNAL} WHERE migration = ? AND state = ?"
            for host, process in self._connection.execute(running, [migration, "running"]).fetchall():
                heal.end_sessions_of(self._connection, host, process)
            # One at a time, and not while a step is being committed.
            self._connection.execute(f"LOCK TABLE {JOURNAL} IN SHARE ROW EXCLUSIVE MODE")
        self._connection.execute(
            f"UPDATE {JOURNAL} SET state = ?, error = ?, finished = ? WHERE migration = ? AND state = ?",
            ["failed", "another deploy has taken it over", now(), migration, "running"],
        )
        applied = self._connection.execute(f"SELECT 1 FROM {HISTORY} WHERE name = ?", [migration]).fetchone()
        if applied and action == "deploy":
            raise AlreadyApplied(migration)
        if not applied and action == "rollback":
            raise Overtaken
        found = self._connection.execute(
            f"SELECT action, state, step, checkpoint FROM {JOURNAL} WHERE migration = ? ORDER BY id DESC LIMIT 1",
            [migration],
        ).fetchone()
        if found is None or found[0] != action or found[1] == "done":
            return None, NO_CHECKPOINTS
        return found[2], json.loads(found[3]) if found[3] else NO_CHECKPOINTS

    def _attempts(self, clause: str, parameters: Sequence[Any], columns: Set[str]) -> tuple[Attempt, ...]:
        wanted = f"{_JOURNAL_COLUMNS}, {_selected(['waits'], columns)}"
        rows = self._connection.execute(f"SELECT {wanted} FROM {JOURNAL} {clause}", parameters).fetchall()
        return tuple(_attempt(list(map(_readable, row)), kept) for *row, kept in rows)


@lru_cache(maxsize=1)
def _all_applied(rows: tuple[tuple[Any, ...], ...]) -> tuple[Applied, ...]:
    """Kept, since a deploy asks before the lock and under it, and hardly ever gets another answer."""
    return tuple(_applied(row) for row in rows if row[0] is not None)


def _applied(row: Sequence[Any]) -> Applied:
    readable = map(_readable, row) if bytes in map(type, row) else row
    name, at, checksum, duration_ms, release, origin, breaking, waited_ms, down = readable
    took, stopped_in = duration_ms, tables.stopped_in(duration_ms)
    if stopped_in:
        took = None
    return Applied(str(name), moment(at), checksum, took, release, origin, bool(breaking), waited_ms, down, stopped_in)


def _readable(value: Any) -> Any:
    """SQLite lets anybody keep bytes in a column of text, and JSON has none."""
    return value.decode(errors="replace") if isinstance(value, bytes) else value


def _selected(wanted: Sequence[str], there: Set[str]) -> str:
    """A list of columns, with nothing for those that an older release has not made."""
    return ", ".join(name if name in there else f"NULL AS {name}" for name in wanted)


def _attempt(row: list[Any], kept: str | None) -> Attempt:
    row[6:8] = map(moment, row[6:8])
    return Attempt(*row)._replace(waits=waits.from_text(kept))
