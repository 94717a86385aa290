"""What the command line says and what it asks: results on stdout, problems on stderr."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from service.migrate.command import show
from service.migrate.errors import NotConfirmed
from service.migrate.session import Event

if TYPE_CHECKING:
    import argparse

    from service.migrate.backfilling.tally import Bar


def teller(*, quiet: bool) -> Callable[[Event], None]:
    """Prints what happens, as it happens."""
    bar: Bar | None = None

    def tell(event: Event) -> None:
        nonlocal bar
        if event.is_python:  # logging takes as long to import as a dozen migrations in SQL take to run
            show.migrations_words(to_stderr=quiet)
        if event.tally and not quiet:
            bar = bar or show.bar()
            print(bar.text(event.tally), end="", flush=True)
        line, is_problem = show.event(event), event.kind in ("connecting", "waiting", "waited", "blocked", "ended")
        if line and (is_problem or not quiet):
            print(line, file=sys.stderr if is_problem else sys.stdout, flush=True)

    return tell


def say(options: argparse.Namespace, text: str) -> None:
    if not options.json:
        print(text, flush=True)


def plain(found: Any) -> dict[str, Any]:
    from dataclasses import asdict  # here, as other imports of this module: the no-op path goes without them

    return asdict(found)


def print_json(value: dict[str, Any]) -> int:
    import json

    print(json.dumps(value, indent=2))
    return 0


def confirm(warning: str, yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        raise NotConfirmed(f"{warning} If that is what you want, say so with --yes.")
    if input(f"{warning}\nType yes to go on: ").strip().lower() != "yes":
        raise NotConfirmed("Nothing was changed.")


def problem(text: str, code: int) -> int:
    print(text, file=sys.stderr)
    return code
