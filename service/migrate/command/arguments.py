"""The words of the command line."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from typing import Any

from service.migrate.command import authoring, commands
from service.migrate.command.defaults import SHARED

_LONGEST = 2_000_000  # PostgreSQL counts milliseconds in 32 bits

_EPILOG = """\
exit codes: 0 done or up to date, 1 refused or pending, 2 error; 130 or 143 stopped by Ctrl-C or SIGTERM

When a deploy fails, read its message: it names the command that helps. `migrate status` shows where things stand.
"""


def parser(words: Sequence[str]) -> argparse.ArgumentParser:
    """The parser for these words. A command is called as its function; only one that is among the words gets its
    options: making all of them takes longer than a deploy without work."""
    top = argparse.ArgumentParser(
        prog="migrate",
        description="Bring a database to the schema that the migrations describe, and say where it stands.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    _place_options(top, None)
    # With a name given, argparse need not work one out from the usage, for which it imports the compression modules.
    subparsers = top.add_subparsers(title="commands", required=True, metavar="COMMAND", prog="migrate")

    def add(run: Any, text: str, options: Callable[[argparse.ArgumentParser], None] = lambda _command: None) -> None:
        command = subparsers.add_parser(run.__name__, help=text, description=text)
        command.set_defaults(command=run, **SHARED)
        if run.__name__ in words:
            options(command)
            _place_options(command, argparse.SUPPRESS)

    add(
        commands.deploy,
        "apply what is pending; nothing else changes, and doing it twice is safe",
        _whole_deploy_options,
    )
    add(commands.status, "show what is applied and what is not", _report_options)
    add(commands.journal, "show every attempt: how long it took, what it waited for, why it failed", _journal_options)
    add(commands.resolve, "record migrations as applied, or as rolled back, without running them", _resolve_options)
    add(commands.rollback, "undo the newest migration, or all after one", _rollback_options)
    add(authoring.create, "write the next migration", _create_options)
    add(authoring.dev, "write a migration from the models, apply it, and check that nothing is left", _dev_options)
    add(authoring.reset, "development only: remove everything and apply every migration", _reset_options)
    add(authoring.push, "development only: bring the models to the database without a migration", _force_option)
    add(authoring.pull, "print models of the live database")
    add(authoring.validate, "check the files without a database", _validate_options)
    add(
        commands.verify,
        "compare the live schema, the migrations and the models, and run the migrations' checks",
        _verify_options,
    )
    add(commands.seed, "make the first panel user and a demo chatbot, where there is none")
    add(commands.wait, "wait until the schema is current, for the start of other processes", _wait_options)
    return top


def _place_options(parser: argparse.ArgumentParser, default: str | None) -> None:
    """They stand before the command or behind it, where a default of its own would undo what stands before."""
    for word, name, text in (
        ("--database-url", "URL", "default: MIGRATION_DATABASE_URL, else DATABASE_URL"),
        ("--dir", "FOLDER", "the migrations; default: MIGRATIONS_DIR, else migrations"),
    ):
        parser.add_argument(word, metavar=name, default=default, help=text)


def _json_option(command: argparse.ArgumentParser) -> None:
    command.add_argument("--json", action="store_true", help="print the result as JSON")


def _report_options(command: argparse.ArgumentParser) -> None:
    _json_option(command)
    command.add_argument("--wait", type=seconds, metavar="SECONDS", help="how long to wait for the database")


def _lock_options(command: argparse.ArgumentParser) -> None:
    _report_options(command)
    command.add_argument(
        "--lock-wait", type=seconds, default=600.0, metavar="SECONDS", help="how long to wait for another deploy (600)"
    )


def _patience_options(command: argparse.ArgumentParser) -> None:
    for word, kind, text in (
        (
            "--lock-timeout",
            seconds,
            "how long a statement may wait for a lock before it gives way (3; 0: as the server has it)",
        ),
        ("--statement-timeout", seconds, "how long a statement may run (0: as the server has it)"),
        ("--attempts", _count, "how often a migration that gave way is tried (10)"),
    ):
        command.add_argument(word, type=kind, default=SHARED[word[2:].replace("-", "_")], metavar="N", help=text)


def _whole_deploy_options(command: argparse.ArgumentParser) -> None:
    _deploy_options(command)
    command.add_argument(
        "--dry-run",
        action="store_true",
        help="show the statements that it would run, and whom they would keep waiting; change nothing",
    )


def _deploy_options(command: argparse.ArgumentParser) -> None:
    _lock_options(command)
    _patience_options(command)
    command.add_argument(
        "--out-of-order",
        action="store_true",
        help="also apply migrations that were merged below the newest applied one",
    )


def _journal_options(command: argparse.ArgumentParser) -> None:
    _json_option(command)
    command.add_argument("name", nargs="?", default="", metavar="NAME", help="the attempts at this migration only")
    command.add_argument("--limit", type=_count, default=20, metavar="N", help="how many at most (20)")


def _resolve_options(command: argparse.ArgumentParser) -> None:
    _lock_options(command)
    for word, text in (
        ("--applied", "the database has what these make: do not run them"),
        ("--rolled-back", "the database does not have what these make: run them again"),
    ):
        command.add_argument(word, nargs="+", action="extend", default=[], metavar="NAME", help=text)
    _reason_options(command, "record it although the database does not look like it")
    command.add_argument("--detect", action="store_true", help="find out what a database without history has already")
    command.add_argument("--yes", action="store_true", help="with --detect: record what was found")


def _reason_options(command: argparse.ArgumentParser, text: str) -> None:
    command.add_argument("--force", action="store_true", help=text)
    command.add_argument("--why", default="", metavar="REASON", help="goes with --force; the journal keeps it")


def _rollback_options(command: argparse.ArgumentParser) -> None:
    _lock_options(command)
    _patience_options(command)
    command.add_argument("--to", metavar="NAME", help="the migration that stays the newest one")
    _reason_options(command, "undo one by a file that was edited after it was applied")
    command.add_argument("--yes", action="store_true", help="do not ask")


def _name_option(command: argparse.ArgumentParser) -> None:
    command.add_argument("name", help="a few words, such as add_color_to_personas")
    command.add_argument(
        "--rename",
        action="append",
        default=[],
        metavar="OLD=NEW",
        help="a column or table that has a new name, such as bots.mood=bots.feeling or bots=robots",
    )
    command.add_argument("--no-rename", action="store_true", help="nothing has a new name: drop the old, add the new")


def _create_options(command: argparse.ArgumentParser) -> None:
    _name_option(command)
    command.add_argument("--auto", action="store_true", help="write what leads from the migrations to the models")


def _dev_options(command: argparse.ArgumentParser) -> None:
    _name_option(command)
    _deploy_options(command)
    command.add_argument("--create-only", action="store_true", help="write the file and stop")


def _reset_options(command: argparse.ArgumentParser) -> None:
    _deploy_options(command)
    _force_option(command)
    command.add_argument("--yes", action="store_true", help="do not ask")


def _force_option(command: argparse.ArgumentParser) -> None:
    command.add_argument("--force", action="store_true", help="also on PostgreSQL")


def _validate_options(command: argparse.ArgumentParser) -> None:
    _json_option(command)
    command.add_argument(
        "--applied-to",
        default="",
        metavar="NAME",
        help="files up to this one are applied and frozen: what is wrong inside them is told, and is no failure",
    )


def _verify_options(command: argparse.ArgumentParser) -> None:
    _json_option(command)
    command.add_argument("--skip-models", action="store_true", help="leave the models out of it")
    command.add_argument("--repair", action="store_true", help="print the SQL that would add what is missing")
    command.add_argument("--yes", action="store_true", help="with --repair: run that SQL")


def _wait_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("--timeout", type=seconds, metavar="SECONDS", help="default: SCHEMA_WAIT, else 60")


def seconds(text: str) -> float:
    seconds = float(text)
    if not 0 <= seconds <= _LONGEST:
        raise argparse.ArgumentTypeError(f"a number of seconds, from 0 to {_LONGEST:,}")
    return seconds


def _count(text: str) -> int:
    count = int(text)
    if count < 1:
        raise argparse.ArgumentTypeError("a whole number, 1 or more")
    return count
