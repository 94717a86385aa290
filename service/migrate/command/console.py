"""The whole way of a command: parse, call, print, exit code. What a command needs it imports when it runs.

Exit codes: 0 done or up to date, 1 refused or pending, 2 error; 130 or 143 by Ctrl-C or SIGTERM. Results go
to stdout, problems to stderr.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from service.config import ConfigError, RunnerConfig
from service.migrate import advice, connection, interrupt
from service.migrate.command import commands, defaults
from service.migrate.errors import MigrateError
from service.url import BadUrl, parse

if TYPE_CHECKING:
    import argparse

Command = Callable[["argparse.Namespace", RunnerConfig], int]


def main(words: Sequence[str], left: Sequence[Any] = ()) -> int:
    """Returns the exit code; `left` is the connection that a glance has opened, for a deploy to go on with."""
    options = defaults.options(commands, words) or _parsed(words)
    options.left = next(iter(left), None)
    try:
        config = _with_options(RunnerConfig.from_env(), options)
        command: Command = options.command
        with interrupt.raised():
            return command(options, config)
    except ConfigError as error:
        return _fail(str(error), 2)
    except MigrateError as error:
        return _fail(str(error), error.exit_code)
    except BrokenPipeError:
        return 0
    except interrupt.Stop as stop:
        return _fail(f"{stop.words}; what was running is rolled back.", stop.exit_code)
    except Exception as error:
        if not connection.is_driver_error(error):
            raise  # a bug of ours: its traceback belongs on the screen
        url, reason = config.migration_database_url, connection.explain(error)
        if isinstance(error, OSError) and str(error.filename).endswith((".py", ".sql")):
            where = config.migrations_dir / error.filename
            return _fail(f"{where} can't be read: {reason}. `ls -l {where}` tells what it is, and who may.", 2)
        return _fail(f"{url} refuses: {reason}. {advice.on_working(reason, url, connection.role_in_force)}".rstrip(), 2)


def _parsed(words: Sequence[str]) -> Any:
    from service.migrate.command import arguments

    return arguments.parser(words).parse_args(words)


def _with_options(config: RunnerConfig, options: argparse.Namespace) -> RunnerConfig:
    try:
        url = parse(options.database_url) if options.database_url else None
    except BadUrl as error:
        raise ConfigError(f"--database-url is not usable: {error}.") from None
    folder = Path(options.dir).absolute() if options.dir else config.migrations_dir
    if url:
        config = config._replace(database_url=url, migration_database_url=url)
    return config._replace(migrations_dir=folder)


def _fail(text: str, code: int) -> int:
    print(text, file=sys.stderr)
    return code
