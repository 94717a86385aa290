"""What each command of `migrate` does: one function a command, each returns its exit code."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from service.config import Config
from service.migrate import runner, show, words
from service.migrate.errors import NotConfirmed, Refused
from service.migrate.patience import Patience
from service.migrate.session import Event, Outcome, Target

if TYPE_CHECKING:
    import argparse

    from service.migrate.tally import Bar


def deploy(options: argparse.Namespace, config: Config) -> int:
    target = _target(options, config)
    _say(options, words.running(str(target.url)))
    outcome = runner.deploy(target, out_of_order=options.out_of_order)
    if options.json:
        return _print_json(outcome.as_json())
    for name in outcome.ahead:
        print(f"Note: {name} is applied but unknown to this release: the database is ahead, which is fine.")
    print(_deploy_summary(outcome))
    return 0


def status(options: argparse.Namespace, config: Config) -> int:
    from service.migrate import report

    found = report.read(config.migration_database_url, config.migrations_dir, wait=options.wait or 0.0)
    if options.json:
        _print_json(found.as_json())
    else:
        print(show.status(found))
    for problem in found.problems:
        print(problem, file=sys.stderr)
    return 0 if found.is_current else 1


def journal(options: argparse.Namespace, config: Config) -> int:
    from service.migrate import report

    url = config.migration_database_url
    attempts = report.journal(url, config.migrations_dir, options.name, limit=options.limit)
    if options.json:
        return _print_json({"database": str(url), "attempts": [report.attempt_as_json(each) for each in attempts]})
    print(f"{url}, the latest first, times in UTC\n\n{show.journal(attempts)}")
    return 0


def resolve(options: argparse.Namespace, config: Config) -> int:
    target = _target(options, config)
    if options.detect:
        found = runner.detect(target)
        _say(options, show.detection(found, yes=options.yes))
        if not (options.yes and found.names):
            return _print_json(_plain(found)) if options.json else 0
        options.applied = list(found.names)
    if options.force != bool(options.why):
        raise Refused('--force and --why "the reason" go together.')
    if not (options.applied or options.rolled_back):
        raise Refused("Say what to resolve: --applied NAME …, --rolled-back NAME … or --detect.")
    outcome = runner.resolve(
        target, applied=options.applied, rolled_back=options.rolled_back, forced_because=options.why
    )
    return _print_json(outcome.as_json()) if options.json else 0


def rollback(options: argparse.Namespace, config: Config) -> int:
    def confirm(names: Sequence[str]) -> None:
        _confirm(f"This undoes {', '.join(reversed(names))} and destroys the data in what it takes away.", options.yes)

    show.migrations_words(to_stderr=options.json)
    outcome = runner.rollback(_target(options, config), to=options.to, confirm=confirm)
    if options.json:
        return _print_json(outcome.as_json())
    print(
        f"The schema is at {outcome.newest or 'the beginning'}." if outcome.done else "There is nothing to roll back."
    )
    return 0


def create(options: argparse.Namespace, config: Config) -> int:
    from service.migrate import develop
    from service.migrate.drafting import draft, renames

    if not options.auto:
        print(f"Created {draft.empty(config.migrations_dir, options.name)}")
        return 0
    wishes = renames.Wishes(tuple(options.rename), options.no_rename, _ask_rename if sys.stdin.isatty() else None)
    models = develop.load_models(config.models)
    written = draft.create(config.migration_database_url, config.migrations_dir, options.name, models, wishes)
    if written is None:
        print("The models ask for no change; nothing was written.")
        return 0
    print(f"Created {written.path}")
    for note in written.notes:
        print(f"  {note}", file=sys.stderr)
    return 0


def dev(options: argparse.Namespace, config: Config) -> int:
    options.auto = True
    code = create(options, config)
    if options.create_only or code:
        return code
    return deploy(options, config) or _check_models(config)


def reset(options: argparse.Namespace, config: Config) -> int:
    from service.migrate import develop

    url = config.migration_database_url
    if not url.is_sqlite and not options.force:
        raise Refused(f"reset removes everything from {url}; if that is a development database, add --force.")
    _confirm(f"This removes everything from {url}.", options.yes or options.force)
    develop.reset(url)
    return deploy(options, config)


def push(options: argparse.Namespace, config: Config) -> int:
    from service.migrate import develop

    url = config.migration_database_url
    if not url.is_sqlite and not options.force:
        raise Refused(f"push is for prototyping; if {url} is a development database, add --force.")
    print("Warning: this bypasses the migration history. Use it only to prototype on a development database.")
    made = develop.push(url, develop.load_models(config.models))
    print("\n".join(f"  made {line}" for line in made) or "The database already has all that the models ask for.")
    return 0


def pull(_options: argparse.Namespace, config: Config) -> int:
    from service.migrate import develop

    print(develop.pull(config.migration_database_url), end="")
    return 0


def validate(options: argparse.Namespace, config: Config) -> int:
    from service.migrate import files

    found = files.scan(config.migrations_dir)
    problems = [problem for file in found for problem in files.review(file)]
    if options.json:
        _print_json({"migrations": [file.name for file in found], "problems": [str(problem) for problem in problems]})
    if problems:
        raise Refused(problems)
    if not options.json:
        print(
            f"{_count(len(found), 'migration')} in {config.migrations_dir}: names, numbers and functions are in order."
        )
    return 0


def verify(options: argparse.Namespace, config: Config) -> int:
    from service.migrate import verify as verifier

    url = config.migration_database_url
    show.migrations_words(to_stderr=options.json)
    found = verifier.verify(url, config.migrations_dir)
    if options.repair and options.yes and found.repair:
        verifier.repair(url, found.repair)
        found = verifier.verify(url, config.migrations_dir)
    differences = [] if options.skip_models else _model_changes(config)
    if options.json:
        _print_json({**_plain(found), "models": differences})
    else:
        models = None if options.skip_models else differences
        print(show.verification(found, models, module=config.models, repair=options.repair))
    return 0 if found.is_clean and not differences else 1


def seed(_options: argparse.Namespace, config: Config) -> int:
    import importlib

    module, _, function = config.seeder.partition(":")
    try:
        run = getattr(importlib.import_module(module), function or "run")
    except (ImportError, AttributeError) as error:
        raise Refused(f"Can't load the seed {config.seeder}: {error}. Name it with MIGRATIONS_SEED.") from None
    for line in run(config):
        print(line)
    return 0


def wait(options: argparse.Namespace, config: Config) -> int:
    from service.migrate import gate

    seconds = config.gate_wait if options.timeout is None else options.timeout
    verdict = gate.wait(
        config.database_url,
        config.migrations_dir,
        seconds,
        on_wait=lambda reason: print(f"Waiting: {reason}", flush=True),
    )
    if not verdict.is_open:
        way_out = "run `migrate deploy`, or start the admin panel's container, which does."
        return _problem(f"{verdict.reason} Gave up after {seconds:g} s: {way_out}", 1)
    print("The schema is current.")
    return 0


def _check_models(config: Config) -> int:
    left = _model_changes(config)
    if left:
        return _problem("The models and the migrations still differ:\n" + "\n".join(left), 1)
    print("The models and the migrations agree.")
    return 0


def _model_changes(config: Config) -> list[str]:
    """How the tables of the migrations differ from those of the models; nothing where they agree."""
    from service.migrate import develop
    from service.migrate.drafting import draft

    return draft.differences(config.migration_database_url, config.migrations_dir, develop.load_models(config.models))


def _ask_rename(old: str, new: str) -> bool:
    return input(
        f"Is {new} the new name of {old}? With no, {old} is dropped with its data. [y/N] "
    ).strip().lower() in (
        "y",
        "yes",
    )


def _target(options: argparse.Namespace, config: Config) -> Target:
    return Target(
        config.migration_database_url,
        config.migrations_dir,
        release=config.release,
        database_wait=config.database_wait if options.wait is None else options.wait,
        lock_wait=options.lock_wait,
        patience=Patience(options.lock_timeout, options.statement_timeout, options.attempts),
        tell=_teller(quiet=options.json),
    )


def _teller(*, quiet: bool) -> Callable[[Event], None]:
    """Prints what happens, as it happens."""
    bar: Bar | None = None

    def tell(event: Event) -> None:
        nonlocal bar
        if event.kind == "starting":
            show.migrations_words(to_stderr=quiet)
        if event.tally and not quiet:
            bar = bar or show.bar()
            print(bar.text(event.tally), end="", flush=True)
        line, is_problem = show.event(event), event.kind in ("connecting", "waiting", "waited", "blocked", "ended")
        if line and (is_problem or not quiet):
            print(line, file=sys.stderr if is_problem else sys.stdout, flush=True)

    return tell


def _say(options: argparse.Namespace, text: str) -> None:
    if not options.json:
        print(text, flush=True)


def _deploy_summary(outcome: Outcome) -> str:
    if not outcome.total:
        return "There are no migrations yet; make one with `migrate create NAME`."
    if not outcome.done:
        return words.nothing_to_do(outcome.total, outcome.newest)
    seconds = sum(event.seconds for event in outcome.done)
    return (
        f"All migrations have been successfully applied: {len(outcome.done)} in {seconds:.2f} s."
        f" The schema is at {outcome.newest}."
    )


def _plain(found: Any) -> dict[str, Any]:
    from dataclasses import asdict  # here, as other imports of this module: the no-op path goes without them

    return asdict(found)


def _print_json(value: dict[str, Any]) -> int:
    import json

    print(json.dumps(value, indent=2))
    return 0


def _confirm(warning: str, yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        raise NotConfirmed(f"{warning} If that is what you want, say so with --yes.")
    if input(f"{warning}\nType yes to go on: ").strip().lower() != "yes":
        raise NotConfirmed("Nothing was changed.")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _problem(text: str, code: int) -> int:
    print(text, file=sys.stderr)
    return code
