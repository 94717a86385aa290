"""Kills a real `migrate deploy` or `rollback` at one point after the other, gives the command again, and compares with
an undisturbed run.

The databases are copied from a state in which all earlier migrations are applied and filled with rows.
"""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

from service.migrate import files
from service.url import DatabaseUrl
from tests.crash import databases, picture
from tests.crash.picture import Picture
from tests.crash.points import How, Points
from tests.crash.processes import Ended, Words, migrate

Fill = Callable[[str], Sequence[str]]
DEPLOY = ("deploy", "--lock-wait", "60")


@dataclass(frozen=True)
class Stage:
    """One migration, the database that it is about to be applied to or undone in, and how that looks afterwards."""

    name: str
    folder: Path
    start: DatabaseUrl
    words: Words
    expected: Picture
    passed: tuple[tuple[int, str], ...]
    pooler: int = 0  # the port of one that stands between, if any

    def run(self, url: DatabaseUrl, points: Points | None = None) -> Ended:
        """`url` is the server's own."""
        reached = url._replace(port=self.pooler) if self.pooler else url
        return migrate(reached, self.folder, self.words, points)


@dataclass(frozen=True)
class Crash:
    stage: Stage
    how: How
    at: int

    def __str__(self) -> str:
        stage = self.stage
        return f"{stage.start.engine}, {stage.words[0]} {stage.name}, {self.how} {stage.passed[self.at - 1][1][:160]}"


@contextmanager
def prepared(
    beside: DatabaseUrl, source: Path, fill: Fill, folder: Path, *, command: str = "deploy"
) -> Iterator[list[Stage]]:
    """A stage for every migration of `source`, on the server of `beside`; `fill` gives the statements that write rows
    after one. With command="rollback" each one is undone, but for the first."""
    states, made, before = [databases.empty(beside, folder / "empty.db")], [], ""
    try:
        for number, file in enumerate(files.scan(source), start=1):
            here = folder / f"{number:03}" / "migrations"
            _copy_files(source, here, number)
            applied = _play(file.name, here, states[-1], DEPLOY, states)
            databases.execute(states[-1], fill(file.name))
            # An undone copy is nothing to go on from.
            if command == "deploy":
                made.append(applied)
            elif before:
                words = ("rollback", "--to", before, "--yes", "--lock-wait", "60")
                made.append(_play(file.name, here, states[-1], words, states))
                states.append(states.pop(-2))
            before = file.name
        yield made
    finally:
        for state in states:
            databases.drop(state)


@contextmanager
def prepared_at_once(beside: DatabaseUrl, source: Path, fill: Fill, folder: Path) -> Iterator[list[Stage]]:
    """One stage: all migrations but the first are pending together, so that the end of one begins the next."""
    states, (first, *rest) = [databases.empty(beside, folder / "empty.db")], files.scan(source)
    alone, together = folder / "first" / "migrations", folder / "all" / "migrations"
    try:
        _copy_files(source, alone, 1)
        _play(first.name, alone, states[-1], DEPLOY, states)
        databases.execute(states[-1], fill(first.name))
        _copy_files(source, together, len(rest) + 1)
        yield [_play(f"{rest[0].name} to {rest[-1].name}", together, states[-1], DEPLOY, states)]
    finally:
        for state in states:
            databases.drop(state)


def _play(name: str, here: Path, start: DatabaseUrl, words: Words, states: list[DatabaseUrl]) -> Stage:
    """The undisturbed run, on a copy that becomes the newest of the states."""
    states.append(databases.copied(start, here.with_name(f"{words[0]}.db")))
    counted = migrate(states[-1], here, words, Points(states[-1]))
    assert counted.code == 0, counted.output
    return Stage(name, here, start, words, picture.take(states[-1]), counted.passed)


def through(stage: Stage, pooler: int, folder: Path) -> Stage:
    """The same by way of a pooler, for which some statements are others."""
    pooled = replace(stage, pooler=pooler)
    with databases.fleeting(stage.start, folder) as url:
        return replace(pooled, passed=pooled.run(url, Points(url)).passed)


def crashes(stage: Stage, how: How) -> list[Crash]:
    """One for every moment before and after a statement. After one is before the next, on the same connection."""
    passed = [*stage.passed, (0, "")]
    return [
        Crash(stage, how, at)
        for at, ((connection, point), (following, _)) in enumerate(pairwise(passed), start=1)
        if point.startswith("before") or (connection != following and how != "cut off")
    ]


def survive(crash: Crash, folder: Path) -> str:
    """Crash a command and give it once more; what is wrong after that, or an empty text."""
    with databases.fleeting(crash.stage.start, folder) as url:
        first = crash.stage.run(url, Points(url, crash.how, crash.at))
        if not _was_struck(crash, first):
            return f"{crash}: the process ended with {first.code} before that point: {first.output}"
        if "Traceback" in first.output:
            return f"{crash}: nobody explained {first.output}"
        second = crash.stage.run(url)
        if second.code != 0:
            return f"{crash}: the next one ended with {second.code}: {second.output}"
        difference = crash.stage.expected.differs(picture.take(url))
        return difference and f"{crash}: {difference}"


def _was_struck(crash: Crash, ended: Ended) -> bool:
    """A process outlives its server session, and says how far it came."""
    return len(ended.passed) >= crash.at if crash.how == "terminated" else ended.code == -signal.SIGKILL


def survive_all(all_crashes: Sequence[Crash], folder: Path) -> list[str]:
    """The troubles of all crashes, worked off by as many processes as there are processors."""
    context = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(os.cpu_count() or 1, mp_context=context) as pool:
        troubles = pool.map(survive, all_crashes, [folder] * len(all_crashes), chunksize=4)
        return [trouble for trouble in troubles if trouble]


def summary(count: int, troubles: Sequence[str]) -> str:
    return f"{count} crash points, {count - len(troubles)} recovered, {len(troubles)} by hand"


def _copy_files(source: Path, folder: Path, count: int) -> None:
    folder.mkdir(parents=True)
    for file in files.scan(source)[:count]:
        for path in filter(None, (file.path, file.down)):
            shutil.copy(path, folder)
