"""Everything that can go wrong here, as data. str() of each is what a person reads.

MigrateError                 exit code 2
├── DatabaseUnreachable      no connection within the time allowed
├── MigrationFailed          a migration raised; says what of it remains
├── Stopped                  exit code 130 or 143: a signal came while a migration was at work
├── LockUnavailable          another deploy held the lock for longer than we may wait
├── BrokenScript             an applied migration can't be replayed
├── TooManyErrors            a backfill met more rows that it can't change than it may leave
└── Refused                  exit code 1: we could guess, and won't
    ├── Overtaken            another deploy goes on with the migration that this one was at
    ├── Unclear              a killed step of which nothing tells whether it was done
    ├── UnknownMigration     a name that no file and no history row has
    ├── Unproven             resolve was asked to record what the database does not have
    └── NotConfirmed         a destructive command without a yes
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class MigrateError(Exception):
    exit_code = 2


class DatabaseUnreachable(MigrateError):
    def __init__(self, database: str, reason: str, attempts: int, advice: str) -> None:
        self.database, self.reason, self.attempts, self.advice = database, reason, attempts, advice
        tries = "1 attempt" if attempts == 1 else f"{attempts} attempts"
        super().__init__(f"Can't reach {database} after {tries}: {reason}. {advice}")


class MigrationFailed(MigrateError):
    def __init__(self, migration: str, where: str, statement: str, reason: str, remains: str, hint: str) -> None:
        self.migration, self.where, self.statement, self.reason = migration, where, statement, reason
        lines = [f"Migration {migration} failed; {remains}", f"  at {where}"]
        lines += [f"  running: {statement}"] if statement else []
        super().__init__("\n".join([*lines, f"  reason: {reason}", hint]))


class Stopped(MigrateError):
    def __init__(self, migration: str, what: str, exit_code: int) -> None:
        self.migration, self.exit_code = migration, exit_code
        super().__init__(what)


class LockUnavailable(MigrateError):
    def __init__(self, holder: str, seconds: float) -> None:
        self.holder = holder
        _, is_server, process = holder.rpartition("server process ")
        super().__init__(
            f"Another deploy ({holder}) still holds the migration lock after {seconds:.0f} s; "
            "wait for it, or allow more time with --lock-wait."
            + (f" If it is long gone, `SELECT pg_terminate_backend({process})` frees the lock." if is_server else "")
        )


class BrokenScript(MigrateError):
    def __init__(
        self, migration: str, reason: str, hint: str = "Guard what that migration reads with `if not fake:`."
    ) -> None:
        self.migration, self.reason = migration, reason
        super().__init__(
            f"Can't work out the state of the tables: replaying {migration}, which is applied, gives {reason}. {hint}"
        )


class TooManyErrors(MigrateError):
    def __init__(self, table: str, failed: int, allowed: int, named: str) -> None:
        self.table, self.failed, self.allowed = table, failed, allowed
        rows = "1 row" if failed == 1 else f"{failed:,} rows"
        super().__init__(f"{rows} of {table} can't be changed, and max_errors allows {allowed:,}: {named}")


class Problem(NamedTuple):
    """One reason to refuse: what is wrong with which migration, and what to do about it."""

    migration: str
    what: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.what} {self.remedy}"


class Refused(MigrateError):
    exit_code = 1

    def __init__(self, problems: Iterable[Problem] | str) -> None:
        self.problems = () if isinstance(problems, str) else tuple(problems)
        super().__init__(problems if isinstance(problems, str) else "\n".join(map(str, self.problems)))


class Overtaken(Refused):
    def __init__(self) -> None:
        super().__init__("Another deploy has taken this migration over and goes on with it; see `migrate status`.")


class Unclear(Refused):
    def __init__(self, migration: str, step: int, steps: int, statement: str, command: str = "deploy") -> None:
        self.migration, self.step = migration, step
        what = f": {' '.join(statement.split())[:100]}" if statement else ""
        before = {1: "", 2: " Step 1 stands."}.get(step, f" Steps 1 to {step - 1} stand.")
        of = "The rollback of " if command == "rollback" else ""
        super().__init__(
            f"{of}{migration} was interrupted in step {step} of {steps}, which runs outside a transaction, and nothing "
            f"tells whether it was done{what}.{before} Look at the database. {WAYS_OUT[command].format(migration)}"
        )


# What a person can do where nothing tells whether a step was done.
WAYS_OUT = {
    "deploy": "Complete what is missing and record it with `migrate resolve --applied {0}`, or undo what is there and "
    "have it run again from its first step with `migrate resolve --rolled-back {0}` and `migrate deploy`.",
    "rollback": "Undo what is still there and record it with `migrate resolve --rolled-back {0}`, or restore what is "
    "gone and record that with `migrate resolve --applied {0}`.",
}


class UnknownMigration(Refused):
    def __init__(self, name: str, nearest: list[str]) -> None:
        self.name, self.nearest = name, nearest
        near = f"did you mean {' or '.join(nearest)}?" if nearest else "see `migrate status` for the names."
        super().__init__(f"There is no migration {name}; {near}")


class Unproven(Refused):
    def __init__(self, migration: str, missing: Iterable[str], left_over: Iterable[str]) -> None:
        self.migration, self.missing, self.left_over = migration, tuple(missing), tuple(left_over)
        lines = [f"{migration} can't be recorded as applied: the database does not look as if it had run."]
        lines += [f"  missing: {line}" for line in self.missing]
        lines += [f"  still there: {line}" for line in self.left_over]
        lines.append(
            "Run `migrate deploy` to make it so, or record it all the same: "
            f'`migrate resolve --applied {migration} --force --why "…"`.'
        )
        super().__init__("\n".join(lines))


class NotConfirmed(Refused):
    pass
