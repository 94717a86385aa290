"""A migration from the models: drafted from what the migrations and the models ask for, then applied and undone in a
shadow, and held against the tables that Peewee makes of the models."""

from __future__ import annotations

import re
import tempfile
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import peewee as pw

from service.migrate import contents, files
from service.migrate.altering import shape
from service.migrate.altering.shape import Tables
from service.migrate.applying import engine
from service.migrate.connection import explain, is_driver_error
from service.migrate.drafting import agreement, changes, names, renames
from service.migrate.drafting.agreement import Ground
from service.migrate.drafting.names import Renames
from service.migrate.drafting.renames import Wishes
from service.migrate.errors import BrokenScript, DatabaseUnreachable, Refused
from service.migrate.files import MigrationFile
from service.migrate.proving import shadow
from service.url import DatabaseUrl

_TEMPLATE = '''"""{title}."""
{notes}
from __future__ import annotations

import peewee as pw
from peewee_migrate import Migrator
{imports}

def migrate(migrator: Migrator, database: pw.Database, *, fake: bool = False) -> None:
{migrate}


def rollback(migrator: Migrator, database: pw.Database, *, fake: bool = False) -> None:
{rollback}
'''
_EMPTY = '    pass  # for example: migrator.add_fields("chatbots", color=pw.CharField(null=True))'
_FAILS = "it fails: "
_WITHOUT_OPERATIONS = "The models ask for something that can't be drafted; write it with `migrate create NAME`:"


@dataclass(frozen=True)
class Written:
    """A new migration; `notes` say what its author has to look at, a line each."""

    path: Path
    notes: tuple[str, ...] = ()

    @property
    def is_broken(self) -> bool:
        """Whether it was tried, and can't be applied."""
        return any(note.startswith(_FAILS) for note in self.notes)


def empty(folder: Path, title: str) -> Path:
    """Write the next migration for somebody to fill. A folder that does not exist yet is made."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{files.next_name(files.scan(folder), title)}.py"
    path.write_text(_text(title, [], [], []), "utf-8")
    return path


def create(url: DatabaseUrl, folder: Path, title: str, models: list[type[pw.Model]], wishes: Wishes) -> Written | None:
    """Write the migration that leads from the files to the models; None where they agree. Where the database that could
    try it can't be reached, the draft and the notes say so."""
    folder.mkdir(parents=True, exist_ok=True)
    found = files.scan(folder)
    old, new = _both_sides(found, models, is_sqlite=url.is_sqlite)
    ground, notes = _ground(url, found, models)
    if ground:
        new = agreement.without_what_sql_made(old, new, ground)
    renaming = renames.settle(old, new, wishes)
    forward = changes.operations(old, new, renaming)
    notes += [f"not drafted: {line}" for line in changes.unsupported(names.renamed(old, renaming), new)]
    if not forward:
        _refuse_what_is_left(ground, new, notes)
        return None
    backward = changes.operations(changes.outcome(old, new, renaming), old, renaming.reversed())
    name = files.next_name(found, title)
    if ground:
        notes += _tried(url, found, name, _text(title, [], forward, backward), ground, old, new)
    path = folder / f"{name}.py"
    path.write_text(_text(title, notes, forward, backward), "utf-8")
    return Written(path, tuple(notes))


def differences(url: DatabaseUrl, folder: Path, models: list[type[pw.Model]]) -> list[str]:
    """How the tables of the migrations differ from those of the models, a line each; none where they agree."""
    found = files.scan(folder)
    old, new = _both_sides(found, models, is_sqlite=url.is_sqlite)
    ground, notes = _ground(url, found, models)
    if ground:
        return agreement.differences(ground, ground.before, new)
    return [*notes, "\n".join(changes.operations(old, new, Renames()))]


def _both_sides(
    found: Sequence[MigrationFile], models: list[type[pw.Model]], *, is_sqlite: bool
) -> tuple[Tables, Tables]:
    state = engine.replay(found, is_sqlite=is_sqlite).orm
    return shape.of(state, is_sqlite=is_sqlite), shape.of(models, is_sqlite=is_sqlite)


def _ground(
    url: DatabaseUrl, found: Sequence[MigrationFile], models: list[type[pw.Model]]
) -> tuple[Ground | None, list[str]]:
    """What the migrations and the models really make, or why that could not be seen."""
    try:
        return agreement.look(url, found, models), []
    except (DatabaseUnreachable, BrokenScript) as error:
        return None, [f"not tried: {error}"]
    except Exception as error:
        if not (is_driver_error(error) or isinstance(error, pw.PeeweeException)):
            raise
        return None, [f"not tried: {explain(error)}."]


def _tried(
    url: DatabaseUrl, found: Sequence[MigrationFile], name: str, text: str, ground: Ground, old: Tables, new: Tables
) -> list[str]:
    """What is wrong with a draft, found out by applying it and undoing it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{name}.py"
        path.write_text(text, "utf-8")
        draft = MigrationFile(name, len(found) + 1, str(path), next(contents.checksums(path.parent, [path.name])))
        trial = shadow.trial(url, found, draft)
    if trial.after is None:
        return [f"{_FAILS}{trial.problem}"]
    notes = [f"still different: {line}" for line in agreement.differences(ground, trial.after, new)]
    if trial.back is None:
        return [*notes, f"its rollback fails: {trial.problem}"]
    left = agreement.left_by_rollback(ground, trial.back, old)
    return [*notes, *(f"different after its rollback: {line}" for line in left)]


def _refuse_what_is_left(ground: Ground | None, new: Tables, notes: list[str]) -> None:
    left = agreement.differences(ground, ground.before, new) if ground else []
    if left or any(note.startswith("not drafted") for note in notes):
        raise Refused("\n".join([_WITHOUT_OPERATIONS, *(left or notes)]))


def _text(title: str, notes: Sequence[str], forward: Sequence[str], backward: Sequence[str]) -> str:
    words = title.strip().replace("_", " ")
    lines = [line for note in notes for line in _comment(note)]
    modules = sorted(set(re.findall(r"(?<![\w.])(\w+_ext|fields|kv)\.[A-Z]", "\n".join([*forward, *backward]))))
    return _TEMPLATE.format(
        title=words[:1].upper() + words[1:],
        notes="\n".join(["", *lines, ""]) if lines else "",
        imports="".join(f"from playhouse import {module}\n" for module in modules),
        migrate="\n\n".join(forward) or _EMPTY,
        rollback="\n\n".join(backward) or _EMPTY,
    )


def _comment(note: str) -> list[str]:
    return textwrap.wrap(
        f"About this draft: {note}", 118, initial_indent="# ", subsequent_indent="#   ", break_long_words=False
    )
