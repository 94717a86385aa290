"""Migration files: their names, numbers, checksums and flags. Reads text; runs nothing until `load`."""

from __future__ import annotations

import functools
import re
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from service.migrate import contents, flags
from service.migrate.errors import Problem, Refused
from service.migrate.flags import Flags

_NAME = re.compile(r"(?P<name>(?P<number>\d+)_\w[^.]*)(?P<down>\.down)?\.(?P<kind>py|sql)")
# Bytes of a title, which is the most of a file's name: no file system takes many more.
_LONGEST = 200


class MigrationFile(NamedTuple):
    """One migration: `name` as the history has it, without the ending; `place` is where it is, as text, since of a
    thousand files hardly one is opened again; `down` undoes a .sql one."""

    name: str
    number: int
    place: str
    checksum: str
    down: Path | None = None

    @property
    def path(self) -> Path:
        return Path(self.place)

    @property
    def is_sql(self) -> bool:
        return self.place.endswith(".sql")


class Outline(NamedTuple):
    """What a file says about itself at its top level, read without running it."""

    functions: frozenset[str] = frozenset()
    flags: Flags = Flags()
    backfills: bool = False
    is_empty: bool = False

    @property
    def atomic(self) -> bool:
        return self.flags.atomic

    @property
    def breaking(self) -> bool:
        return self.flags.breaking

    @property
    def touches(self) -> frozenset[str]:
        return self.flags.touches


class Script(NamedTuple):
    """A loaded Python migration."""

    migrate: Callable[..., Any]
    rollback: Callable[..., Any] | None = None
    verify: Callable[..., Any] | None = None


def scan(folder: Path) -> tuple[MigrationFile, ...]:
    """The migrations of a folder by number. Raises Refused with every name that is wrong, not only the first."""
    if not folder.is_dir():
        raise Refused(f"There is no migrations folder {folder}; name it with --dir or MIGRATIONS_DIR.")
    matches = [(file, _NAME.fullmatch(file)) for file in contents.names(folder)]
    downs = {match["name"]: folder / file for file, match in matches if match and match["down"]}
    named = [(file, match["name"], int(match["number"])) for file, match in matches if match and not match["down"]]
    problems = [_misnamed(file) for file, match in matches if match is None]
    problems += _duplicates([(number, file) for file, _, number in named])
    if problems:
        raise Refused(problems)
    checksums, place = contents.checksums(folder, [file for file, _, _ in named]), str(folder)
    found = [
        MigrationFile(name, number, f"{place}/{file}", checksum, downs.get(name))
        for (file, name, number), checksum in zip(named, checksums, strict=True)
    ]
    return tuple(sorted(found, key=lambda file: file.number))


@functools.cache
def outline(file: MigrationFile) -> Outline:
    """The file's functions and flags, read once for each checksum: a deploy asks before, under the lock and when it
    applies. Raises Refused where it is not readable as Python or as text."""
    try:
        text = contents.text(file.place)
        if file.is_sql:
            return Outline(flags=flags.of_sql(text), is_empty=not text.strip())
        from service.migrate import toplevel  # here: files in SQL go without ast

        return toplevel.outline(text, file.path.name)
    except UnicodeDecodeError:
        raise Refused([Problem(file.name, f"{file.path.name} is not UTF-8 text.", "Save it as UTF-8.")]) from None
    except (SyntaxError, ValueError) as error:
        line = f" in line {error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
        what = f"{file.path.name} is not valid Python{line}: {getattr(error, 'msg', error)}."
        raise Refused([Problem(file.name, what, "Correct it.")]) from None


def review(file: MigrationFile) -> list[Problem]:
    """What is wrong inside one file, before anything of it runs."""
    try:
        found = outline(file)
    except Refused as refusal:
        return list(refusal.problems)
    if found.backfills and found.atomic:
        what = f"{file.path.name} backfills, and each batch of a backfill is a transaction of its own."
        return [Problem(file.name, what, "Write `atomic = False` at the top of the file.")]
    if found.is_empty:
        return [Problem(file.name, f"{file.path.name} is empty.", "Write what it does, or remove it.")]
    if found.flags.mistakes:
        return [
            Problem(file.name, f"{file.path.name}, line {mistake.line}: {mistake.what}.", mistake.remedy)
            for mistake in found.flags.mistakes
        ]
    if file.is_sql or "migrate" in found.functions:
        return []
    typo = next((name for name in found.functions if name.lower() == "migrate"), None)
    remedy = f"Rename {typo} to migrate." if typo else "Define `def migrate(migrator, database, *, fake=False)`."
    return [Problem(file.name, f"{file.path.name} has no function migrate.", remedy)]


def no_way_back(file: MigrationFile) -> list[Problem]:
    """Why a file can't be undone; a file that can't be loaded says so when it is asked to."""
    lacks = f"there is no {file.name}.down.sql beside it" if file.is_sql and file.down is None else ""
    if not file.is_sql:
        with suppress(Exception):
            lacks = "" if load(file).rollback else f"{file.path.name} has no function rollback"
    remedy = "Undo it in a new migration: `migrate create NAME`."
    return [Problem(file.name, f"{file.name} can't be rolled back: {lacks}.", remedy)] if lacks else []


def down_checksum(file: MigrationFile) -> str | None:
    """Of what undoes a migration in SQL, where that is a file of its own."""
    return next(contents.checksums(file.down.parent, [file.down.name])) if file.down else None


def load(file: MigrationFile) -> Script:
    """Run the file's top level and return its functions; its frames carry its own path, for tracebacks."""
    scope: dict[str, Any] = {"__name__": file.name, "__file__": file.place}
    exec(compile(contents.text(file.place), file.place, "exec"), scope)  # noqa: S102  # it is what we do
    return Script(scope["migrate"], scope.get("rollback"), scope.get("verify"))


def next_name(files: tuple[MigrationFile, ...], title: str) -> str:
    """`title` with the number after the newest one, as wide as the folder's own numbers."""
    slug = re.sub(r"\W+", "_", title.strip().lower()).strip("_")
    if not slug or len(slug.encode()) > _LONGEST:
        raise Refused(f"{title!r} makes no file name; use a few words such as add_color_to_personas.")
    newest = files[-1] if files else None
    width = len(newest.name.partition("_")[0]) if newest else 3
    return f"{(newest.number if newest else 0) + 1:0{width}}_{slug}"


def _misnamed(file: str) -> Problem:
    what = f"{file} does not look like a migration, which is named 001_what_it_does.py or .sql."
    return Problem(file.rpartition(".")[0], what, "Rename it, or put an underscore before it to keep it out.")


def _duplicates(numbered: list[tuple[int, str]]) -> list[Problem]:
    counts = Counter(number for number, _ in numbered)
    problems = []
    for number in sorted(number for number, count in counts.items() if count > 1):
        names = " and ".join(file for other, file in numbered if other == number)
        remedy = "Give the one that no database has applied yet the next free number."
        problems.append(Problem(names, f"{names} have the same number.", remedy))
    return problems
