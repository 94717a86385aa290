"""Slipway's runner against its peers and against the floor.

.venv/bin/python -m benchmarks [--rounds 7] [--only no_op --only pending …] [--write docs/benchmarks.md]
"""

from __future__ import annotations

import argparse
import os
import platform
import tempfile
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import scenarios, tools
from benchmarks.databases import engines
from benchmarks.figures import Result, markdown
from benchmarks.measure import ROUNDS

_MARK = "<!-- what `make bench` has measured -->\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"how often each process runs ({ROUNDS})")
    parser.add_argument("--only", action="append", choices=list(scenarios.EVERY), help="this comparison only")
    parser.add_argument("--write", type=Path, help="a document that gets the results at its end")
    options = parser.parse_args()
    tools.install()
    sections = [_circumstances(options.rounds)]
    print(sections[0])
    for result in _measure([scenarios.EVERY[name] for name in options.only or scenarios.EVERY], options.rounds):
        sections.append(markdown(result))
        print(sections[-1], flush=True)
    if options.write:
        kept = options.write.read_text("utf-8").partition(_MARK)[0]
        options.write.write_text("\n".join([kept + _MARK, *sections]), "utf-8")


def _measure(chosen: Sequence[Callable[[scenarios.Bench], Result]], rounds: int) -> Iterator[Result]:
    with tempfile.TemporaryDirectory() as place, engines(Path(place)) as found:
        for engine, databases in found.items():
            folder = Path(place) / engine
            folder.mkdir()
            bench = scenarios.Bench(engine, databases, folder, rounds)
            for scenario in chosen:
                yield scenario(bench)


def _circumstances(rounds: int) -> str:
    versions = [line for line in tools.REQUIREMENTS.with_suffix(".in").read_text("utf-8").splitlines() if "==" in line]
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, Python {platform.python_version()}, {os.cpu_count()} cores,"
        f" load {os.getloadavg()[0]:.1f} at the start, medians of {rounds} rounds. {', '.join(versions)}.\n"
    )


if __name__ == "__main__":
    main()
