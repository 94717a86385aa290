"""What the commands on a database do: one function a command, each returns its exit code."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from service.config import RunnerConfig
from service.migrate import runner, words
from service.migrate.command import show, terminal
from service.migrate.errors import Refused
from service.migrate.patience import Patience
from service.migrate.session import Outcome, Target

if TYPE_CHECKING:
    import argparse


def deploy(options: argparse.Namespace, config: RunnerConfig) -> int:
    if options.dry_run:
        return _rehearse(options, config)
    target = _target(options, config)
    terminal.say(options, words.running(str(target.url)))
    outcome = runner.deploy(target, out_of_order=options.out_of_order)
    if options.json:
        return terminal.print_json(outcome.as_json())
    for name in outcome.ahead:
        print(f"Note: {name} is applied but unknown to this release: the database is ahead, which is fine.")
    print(_deploy_summary(outcome))
    return 0


def _rehearse(options: argparse.Namespace, config: RunnerConfig) -> int:
    from service.migrate import rehearsal

    url, wait = config.migration_database_url, _wait(options, config)
    found = rehearsal.rehearse(url, config.migrations_dir, wait=wait, out_of_order=options.out_of_order)
    if options.json:
        return terminal.print_json(terminal.plain(found))
    print(show.rehearsal(found))
    return 0


def status(options: argparse.Namespace, config: RunnerConfig) -> int:
    from service.migrate import report

    found = report.read(config.migration_database_url, config.migrations_dir, wait=options.wait or 0.0)
    if options.json:
        terminal.print_json(found.as_json())
    else:
        print(show.status(found))
    for problem in found.problems:
        print(problem, file=sys.stderr)
    return 0 if found.is_current else 1


def journal(options: argparse.Namespace, config: RunnerConfig) -> int:
    from service.migrate import report

    url = config.migration_database_url
    attempts = report.journal(url, config.migrations_dir, options.name, limit=options.limit)
    if options.json:
        return terminal.print_json(
            {"database": str(url), "attempts": [report.attempt_as_json(each) for each in attempts]}
        )
    print(f"{url}, the latest first, times in UTC\n\n{show.journal(attempts)}")
    return 0


def resolve(options: argparse.Namespace, config: RunnerConfig) -> int:
    target = _target(options, config)
    if options.detect:
        found = runner.detect(target)
        terminal.say(options, show.detection(found, yes=options.yes))
        if not (options.yes and found.names):
            return terminal.print_json(terminal.plain(found)) if options.json else 0
        options.applied = list(found.names)
    because = _reason(options)
    if not (options.applied or options.rolled_back):
        raise Refused("Say what to resolve: --applied NAME …, --rolled-back NAME … or --detect.")
    outcome = runner.resolve(target, applied=options.applied, rolled_back=options.rolled_back, forced_because=because)
    return terminal.print_json(outcome.as_json()) if options.json else 0


def rollback(options: argparse.Namespace, config: RunnerConfig) -> int:
    def confirm(names: Sequence[str]) -> None:
        terminal.confirm(
            f"This undoes {', '.join(reversed(names))} and destroys the data in what it takes away.", options.yes
        )

    show.migrations_words(to_stderr=options.json)
    target = _target(options, config)
    outcome = runner.rollback(target, to=options.to, forced_because=_reason(options), confirm=confirm)
    if options.json:
        return terminal.print_json(outcome.as_json())
    print(
        f"The schema is at {outcome.newest or 'the beginning'}." if outcome.done else "There is nothing to roll back."
    )
    return 0


def verify(options: argparse.Namespace, config: RunnerConfig) -> int:
    from service.migrate.command import authoring
    from service.migrate.proving import verify as verifier

    url = config.migration_database_url
    show.migrations_words(to_stderr=options.json)
    found = verifier.verify(url, config.migrations_dir)
    if options.repair and options.yes and found.repair:
        verifier.repair(url, found.repair)
        found = verifier.verify(url, config.migrations_dir)
    models = authoring.model_changes(config) if config.has_models and not options.skip_models else None
    if options.json:
        terminal.print_json({**terminal.plain(found), "models": models})
    else:
        print(show.verification(found, models, module=config.models, repair=options.repair))
        if not (config.has_models or options.skip_models):
            print(show.UNNAMED_MODELS)
    return 0 if found.is_clean and not models else 1


def seed(_options: argparse.Namespace, config: RunnerConfig) -> int:
    """Waits for the schema: who types it right after the service was started for the first time would be too early."""
    import importlib

    from service.config import Config

    module, _, function = config.seeder.partition(":")
    try:
        run = getattr(importlib.import_module(module), function or "run")
    except (ImportError, AttributeError) as error:
        raise Refused(f"Can't load the seed {config.seeder}: {error}. Name it with MIGRATIONS_SEED.") from None
    settings = Config.from_env(runner=config)
    if code := _await_schema(config, config.gate_wait):
        return code
    for line in run(settings):
        print(line)
    return 0


def wait(options: argparse.Namespace, config: RunnerConfig) -> int:
    code = _await_schema(config, config.gate_wait if options.timeout is None else options.timeout)
    if not code:
        print("The schema is current.")
    return code


def _await_schema(config: RunnerConfig, seconds: float) -> int:
    from service.migrate import gate

    verdict = gate.wait(
        config.database_url,
        config.migrations_dir,
        seconds,
        on_wait=lambda reason: print(f"Waiting: {reason}", flush=True),
    )
    if not verdict.is_open:
        way_out = "run `migrate deploy`, or start the admin panel's container, which does."
        return terminal.problem(f"{verdict.reason} Gave up after {seconds:g} s: {way_out}", 1)
    return 0


def _reason(options: argparse.Namespace) -> str:
    """Why somebody knows better; empty where nobody says so."""
    if options.force != bool(options.why.strip()):
        raise Refused('--force and --why "the reason" go together.')
    return str(options.why)


def _wait(options: argparse.Namespace, config: RunnerConfig) -> float:
    """Seconds that the database may take to be there."""
    return config.database_wait if options.wait is None else float(options.wait)


def _target(options: argparse.Namespace, config: RunnerConfig) -> Target:
    return Target(
        config.migration_database_url,
        config.migrations_dir,
        release=config.release,
        database_wait=_wait(options, config),
        lock_wait=options.lock_wait,
        patience=Patience(options.lock_timeout, options.statement_timeout, options.attempts),
        tell=terminal.teller(quiet=options.json),
        left=options.left,
    )


def _deploy_summary(outcome: Outcome) -> str:
    if not outcome.total:
        return show.NO_MIGRATIONS
    if not outcome.done:
        return words.nothing_to_do(outcome.total, outcome.newest)
    seconds = sum(event.seconds for event in outcome.done)
    return (
        f"All migrations have been successfully applied: {len(outcome.done)} in {seconds:.2f} s."
        f" The schema is at {outcome.newest}."
    )
