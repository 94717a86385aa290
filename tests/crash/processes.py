"""`migrate` in processes of their own, forked from one that has imported everything, so that hundreds take minutes."""

from __future__ import annotations

import json
import os
import sys
import traceback
from dataclasses import dataclass
from pathlib import Path

from service.migrate import cli
from service.migrate.applying import apply
from service.migrate.command import arguments, commands, console, show
from service.url import DatabaseUrl
from tests.crash.points import Points
from tests.support.processes import environment

Words = tuple[str, ...]
# What `migrate deploy` imports only when it needs it, so that no child has to.
WARM = (apply, arguments, commands, console, show)


@dataclass(frozen=True)
class Ended:
    code: int
    output: str
    passed: tuple[tuple[int, str], ...] = ()


def migrate(url: DatabaseUrl, folder: Path, words: Words, points: Points | None = None) -> Ended:
    """`migrate` with these words, in a process of its own."""
    said, passed = (Path(f"{folder}-{os.getpid()}.{kind}") for kind in ("said", "passed"))
    passed.unlink(missing_ok=True)
    child = os.fork()
    if child == 0:
        _become_migrate(url, ["--dir", str(folder), *words], said, passed, points)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return Ended(code, said.read_text(), tuple(map(tuple, json.loads(passed.read_text()))) if passed.exists() else ())


def _become_migrate(url: DatabaseUrl, words: list[str], said: Path, passed: Path, points: Points | None) -> None:
    """Never returns: the parent's own clean-up must not happen twice."""
    code = 70
    try:
        output = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        sys.stdout = sys.stderr = open(output, "w", buffering=1)  # noqa: PTH123, SIM115  # it ends with the process
        os.environ.clear()
        os.environ.update(environment(url))
        if points:
            points.install()
        code = cli.main(words)
        if points:
            passed.write_text(json.dumps(points.passed))
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)
