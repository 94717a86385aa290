"""What the developer's commands do: they write, check and try out migrations."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from service.config import RunnerConfig
from service.migrate import words
from service.migrate.command import commands, terminal
from service.migrate.errors import Refused

if TYPE_CHECKING:
    import argparse

    from service.migrate.drafting.draft import Written
    from service.migrate.files import MigrationFile

_OF_OTHERS = (
    "The service's own models do not go with {}: a draft would make its tables there. Name the models that do in "
    "MIGRATIONS_MODELS, or write the migration by hand: `migrate create NAME`."
)
_FROZEN = (
    "If one of these is applied already, it must stay as it is: `migrate validate --applied-to NAME` looks inside "
    "later ones only."
)


def create(options: argparse.Namespace, config: RunnerConfig) -> int:
    from service.migrate.drafting import draft

    if options.auto:
        _draft(options, config)
    else:
        print(f"Created {draft.empty(config.migrations_dir, options.name)}")
    return 0


def _draft(options: argparse.Namespace, config: RunnerConfig) -> Written | None:
    """Write the migration that the models ask for, and say what its author has to look at."""
    from service.migrate.drafting import develop, draft, renames

    wishes = renames.Wishes(tuple(options.rename), options.no_rename, _ask_rename if sys.stdin.isatty() else None)
    if not config.has_models:
        raise Refused(_OF_OTHERS.format(config.migrations_dir))
    models = develop.load_models(config.models)
    written = draft.create(config.migration_database_url, config.migrations_dir, options.name, models, wishes)
    if written is None:
        print("The models ask for no change; nothing was written.")
        return None
    print(f"Created {written.path}", flush=True)
    for note in written.notes:
        print(f"  {note}", file=sys.stderr)
    return written


def dev(options: argparse.Namespace, config: RunnerConfig) -> int:
    written = _draft(options, config)
    if options.create_only:
        return 0
    if written and written.is_broken:
        return terminal.problem(
            f"Nothing was applied: correct {written.path.name} and run `migrate deploy`; or remove it, change the "
            "models and run this again.",
            1,
        )
    return commands.deploy(options, config) or _check_models(config)


def reset(options: argparse.Namespace, config: RunnerConfig) -> int:
    from service.migrate.drafting import develop

    url = config.migration_database_url
    if not url.is_sqlite and not options.force:
        raise Refused(f"reset removes everything from {url}; if that is a development database, add --force.")
    terminal.confirm(f"This removes everything from {url}.", options.yes or options.force)
    develop.reset(url)
    return commands.deploy(options, config)


def push(options: argparse.Namespace, config: RunnerConfig) -> int:
    from service.migrate.drafting import develop

    url = config.migration_database_url
    if not url.is_sqlite and not options.force:
        raise Refused(f"push is for prototyping; if {url} is a development database, add --force.")
    print("Warning: this bypasses the migration history. Use it only to prototype on a development database.")
    made = develop.push(url, develop.load_models(config.models))
    print("\n".join(f"  made {line}" for line in made) or "The database already has all that the models ask for.")
    return 0


def pull(_options: argparse.Namespace, config: RunnerConfig) -> int:
    from service.migrate.drafting import develop

    print(develop.pull(config.migration_database_url), end="")
    return 0


def validate(options: argparse.Namespace, config: RunnerConfig) -> int:
    from service.migrate import files

    found = files.scan(config.migrations_dir)
    frozen = _frozen(found, options.applied_to)
    told = [str(problem) for file in found[:frozen] for problem in files.review(file)]
    problems = [str(problem) for file in found[frozen:] for problem in files.review(file)]
    if options.json:
        terminal.print_json({"migrations": [file.name for file in found], "problems": problems, "frozen": told})
    elif told:
        print("\n".join(["Applied, and left as it is:", *(f"  {line}" for line in told)]))
    if problems:
        raise Refused("\n".join([*problems, _FROZEN]))
    if not options.json:
        counted = words.count(len(found), "migration")
        print(f"{counted} in {config.migrations_dir}: names, numbers and functions are in order.")
    return 0


def _frozen(found: Sequence[MigrationFile], applied_to: str) -> int:
    """How many files are applied everywhere, so that nobody may correct them any more."""
    from service.migrate import plan

    names = [file.name for file in found]
    return names.index(plan.resolve_name(applied_to, names)) + 1 if applied_to else 0


def _check_models(config: RunnerConfig) -> int:
    left = model_changes(config)
    if left:
        return terminal.problem("The models and the migrations still differ:\n" + "\n".join(left), 1)
    print("The models and the migrations agree.")
    return 0


def model_changes(config: RunnerConfig) -> list[str]:
    """How the tables of the migrations differ from those of the models; nothing where they agree."""
    from service.migrate.drafting import develop, draft

    return draft.differences(config.migration_database_url, config.migrations_dir, develop.load_models(config.models))


def _ask_rename(old: str, new: str) -> bool:
    return input(
        f"Is {new} the new name of {old}? With no, {old} is dropped with its data. [y/N] "
    ).strip().lower() in (
        "y",
        "yes",
    )
