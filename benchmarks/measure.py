"""Whole processes, timed in turn: what else the machine does falls on all of them alike."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

ROUNDS = 7


def _nothing() -> None:
    return


@dataclass(frozen=True)
class Contender:
    """A process to time; `reset` brings its database back to where it starts, untimed, before each run."""

    name: str
    command: Sequence[object]
    env: dict[str, str] = field(default_factory=dict)
    folder: Path | None = None
    reset: Callable[[], None] = _nothing


@dataclass(frozen=True)
class Times:
    """Seconds by contender, one a round."""

    seconds: dict[str, list[float]]

    def median(self, name: str) -> float:
        return median(self.seconds[name])

    def ratio(self, name: str, other: str) -> float:
        return self.median(name) / self.median(other)

    def fastest(self, names: Sequence[str]) -> str:
        return min(names, key=self.median)


class RunFailed(Exception):
    """A contender ended with an error: then there is nothing to compare."""


def race(contenders: Sequence[Contender], rounds: int = ROUNDS) -> Times:
    """Run all of them once in each round, each round beginning with another one. A first round, which fills caches and
    writes bytecode, does not count."""
    seconds: dict[str, list[float]] = {contender.name: [] for contender in contenders}
    for number in range(rounds + 1):
        first = number % len(contenders)
        for contender in [*contenders[first:], *contenders[:first]]:
            taken = run(contender)
            if number:
                seconds[contender.name].append(taken)
    return Times(seconds)


def run(contender: Contender) -> float:
    """Run it once; the seconds that it took. Raises RunFailed with what it said."""
    contender.reset()
    command, env = [str(word) for word in contender.command], _environment() | contender.env
    began = time.perf_counter()
    done = subprocess.run(command, cwd=contender.folder, env=env, capture_output=True, text=True, check=False)
    taken = time.perf_counter() - began
    if done.returncode:
        raise RunFailed(f"{contender.name}: {' '.join(command)} gave {done.returncode}\n{done.stdout}{done.stderr}")
    return taken


def _environment() -> dict[str, str]:
    """Ours, in which bytecode is kept whatever the shell says: without, only what pip has compiled would be fast."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
