"""The `migrate` command: what is as it should be is told after a glance, everything else goes the whole way."""

import gc
import os
import sys
from collections.abc import Sequence

from service.environment import variables
from service.migrate import glance


def run() -> None:
    """The console script: a process that is soon over. It looks for garbage rarely, and when all is said and closed it
    leaves without taking the interpreter apart; together that is a tenth of a deploy without work."""
    gc.set_threshold(100_000)
    code = main()
    try:  # noqa: SIM105  # contextlib takes a millisecond to import
        sys.stdout.flush()
    except BrokenPipeError:  # nobody reads on, which is no failure of what was done
        pass
    os._exit(code)


def main(words: Sequence[str] | None = None) -> int:
    """Returns the exit code."""
    words = sys.argv[1:] if words is None else words
    left: list[object] = []
    try:
        said = glance.answer(words, variables(), left)
    except KeyboardInterrupt:
        print("Interrupted; nothing was changed.", file=sys.stderr)
        return 130
    if said:
        try:  # noqa: SIM105  # contextlib takes a millisecond to import
            print(said)
        except BrokenPipeError:  # nobody reads on, which is no failure of what was done
            pass
        return 0
    from service.migrate.command import console

    return console.main(words, left)


if __name__ == "__main__":
    run()
