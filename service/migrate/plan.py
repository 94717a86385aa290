"""What to do, decided from plain values: (files, what the database remembers) -> a plan. Touches nothing."""

from __future__ import annotations

from collections.abc import Sequence, Set
from typing import Literal, NamedTuple

from service.migrate.errors import WAYS_OUT, Problem, UnknownMigration
from service.migrate.files import MigrationFile
from service.migrate.ledger import Applied, Attempt, Ledger

State = Literal["applied", "pending", "changed", "missing", "half", "ahead"]
_WRONG = ("changed", "missing", "half")
_NO_FILES = Problem(
    "",
    "There is no migration in this folder, but the database has some.",
    "Does the release, or the image, lack its files? Name the folder with --dir or MIGRATIONS_DIR.",
)
_HALF = (
    "Look at the database: complete what is missing and record it with `migrate resolve --applied {0}`, or undo what "
    "stands and have it run again after `migrate resolve --rolled-back {0}`."
)
_EDITED = "{} was edited after it was applied."


class Entry(NamedTuple):
    """One migration as the files and the database together see it."""

    name: str
    state: State
    file: MigrationFile | None = None
    applied: Applied | None = None


class Plan(NamedTuple):
    """`problems` is why nothing may run; `warnings` is what a person should know although all is well."""

    entries: tuple[Entry, ...]
    problems: tuple[Problem, ...]
    to_adopt: tuple[tuple[str, str], ...]

    @property
    def pending(self) -> tuple[MigrationFile, ...]:
        return tuple(entry.file for entry in self.entries if entry.state == "pending" and entry.file)

    @property
    def ahead(self) -> tuple[Applied, ...]:
        return tuple(entry.applied for entry in self.entries if entry.state == "ahead" and entry.applied)

    @property
    def is_current(self) -> bool:
        return not self.pending and not self.problems

    @property
    def newest(self) -> str:
        """The newest applied migration, or an empty text."""
        return next((entry.name for entry in reversed(self.entries) if entry.applied), "")


def make_plan(files: Sequence[MigrationFile], ledger: Ledger, *, out_of_order: bool = False) -> Plan:
    """Compare the files, which are in order, with the history. A database that is ahead of the files is normal: an
    image was rolled back; unless what it is ahead by broke with the releases that don't know it."""
    applied = {row.name: row for row in ledger.applied}
    known = {file.name for file in files}
    newest_file = max((file.number for file in files), default=0)
    entries = [_entry(file, applied.get(file.name)) for file in files]
    if fileless := [_fileless(row, newest_file) for row in ledger.applied if row.name not in known]:
        entries = sorted([*entries, *fileless], key=lambda entry: (_number(entry.name), entry.name))
    problems = [_problem(entry) for entry in entries if entry.state in _WRONG or _is_breaking(entry)]
    problems += [_half_undone(attempt, known) for attempt in ledger.half_undone if attempt.migration in applied]
    problems += [] if out_of_order else _late(entries)
    problems += [] if files or not applied else [_NO_FILES]
    to_adopt = [
        (file.name, file.checksum) for file in files if file.name in applied and not applied[file.name].checksum
    ]
    return Plan(tuple(entries), tuple(problems), tuple(to_adopt))


def resolve_name(given: str, names: Sequence[str]) -> str:
    """The migration that a person means: with or without a folder and an ending. Raises UnknownMigration."""
    name = given.rsplit("/", 1)[-1].removesuffix(".py").removesuffix(".sql")
    if name in names:
        return name
    import difflib  # here, since it is rarely needed

    numbered = [other for other in names if other.partition("_")[0] == name]
    raise UnknownMigration(given, numbered or difflib.get_close_matches(name, names, n=2, cutoff=0.5))


def _entry(file: MigrationFile, row: Applied | None) -> Entry:
    if row is None:
        return Entry(file.name, "pending", file)
    if row.is_half:
        return Entry(file.name, "half", file, row)
    is_same = row.checksum in (None, file.checksum)
    return Entry(file.name, "applied" if is_same else "changed", file, row)


def _fileless(row: Applied, newest_file: int) -> Entry:
    state: State = "half" if row.is_half else "ahead" if _number(row.name) > newest_file else "missing"
    return Entry(row.name, state, applied=row)


def _number(name: str) -> int:
    digits = name.partition("_")[0]
    return int(digits) if digits.isdecimal() else 0


def _is_breaking(entry: Entry) -> bool:
    return entry.state == "ahead" and entry.applied is not None and entry.applied.breaking


def edited(entry: Entry, file: str = "") -> Problem:
    """Why an applied migration is not undone by what its file says by now, or by the other `file` that undoes it."""
    remedy = "Restore the file; or, if what it says now does undo it, add "
    what = f"{file} was edited after {entry.name} was applied." if file else _EDITED.format(entry.name)
    return Problem(entry.name, what, f'{remedy}--force --why "…", which the journal keeps.')


def _problem(entry: Entry) -> Problem:
    if entry.state == "ahead":
        what = f"{entry.name} is applied, and it broke with releases that do not know it, such as this one."
        return Problem(entry.name, what, "Start the release that brought it.")
    if entry.applied and entry.applied.stopped_in == "rollback":
        what = (
            f"The rollback of {entry.name} was stopped after it had ended its own transaction: some of it may be gone."
        )
        return Problem(entry.name, what, f"Look at the database. {WAYS_OUT['rollback'].format(entry.name)}")
    if entry.state == "half":
        what = f"{entry.name} was stopped after it had ended its own transaction: some of it may stand."
        return Problem(entry.name, what, _HALF.format(entry.name))
    if entry.state == "changed":
        what = _EDITED.format(entry.name)
        return Problem(entry.name, what, "Restore the file and put the change into a new migration.")
    what = f"{entry.name} is applied, but its file is gone."
    remedy = f"Restore the file, or forget it with `migrate resolve --rolled-back {entry.name}`."
    return Problem(entry.name, what, remedy)


def _half_undone(attempt: Attempt, known: Set[str]) -> Problem:
    name = attempt.migration
    became = "is running, or was killed," if attempt.state == "running" else "was stopped"
    what = f"A rollback of {name} {became} after step {attempt.step} of {attempt.steps}: it is half undone."
    where = "" if name in known else ", with the release that has its file"
    remedy = f"Finish it with `migrate rollback`{where}; or restore what is gone, and record that with "
    return Problem(name, what, f"{remedy}`migrate resolve --applied {name}`.")


def _late(entries: Sequence[Entry]) -> list[Problem]:
    """Pending migrations that stand below the newest applied one: the merge that nobody noticed."""
    newest = next((entry for entry in reversed(entries) if entry.applied), None)
    if newest is None:
        return []
    late = [entry for entry in entries if entry.state == "pending" and _number(entry.name) < _number(newest.name)]
    return [
        Problem(
            entry.name,
            f"{entry.name} is not applied, but {newest.name}, which comes after it, is.",
            "If the database already has what it makes, record it with "
            f"`migrate resolve --applied {entry.name}`; if it was merged late, run `migrate deploy --out-of-order`.",
        )
        for entry in late
    ]
