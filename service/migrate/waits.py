"""Time that went by for somebody else's sake: how long, and who it was. It answers why a deploy took so long."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

# Shorter ones are no answer to anything.
_LEAST = 0.1
_NAMED = 5


class Wait(NamedTuple):
    """For the database to answer, for another deploy, or, as a part of an attempt, for locks that others held. `tries`
    were given up meanwhile and made again."""

    cause: Literal["database", "deploy", "locks"]
    seconds: float
    whom: tuple[str, ...] = ()
    tries: int = 0

    @property
    def words(self) -> str:
        """Waited 9.0 s for server process 7 (reporting, idle in transaction for 45 s: SELECT ?), and gave way twice."""
        named = "; ".join(self.whom)
        whom = {"database": f"the database ({named})", "deploy": f"another deploy ({named})"}.get(self.cause, named)
        return f"Waited {self.seconds:.1f} s for {whom or 'another connection'}{self._tries_in_words}"

    @property
    def _tries_in_words(self) -> str:
        times = {1: "once", 2: "twice"}.get(self.tries, f"{self.tries} times")
        return f", and gave way {times}" if self.tries else ""


class Took(NamedTuple):
    """How long a migration took, and which part of that it spent waiting for others."""

    seconds: float
    waits: tuple[Wait, ...]


class Toll:
    """What one migration has lost to the locks of others so far, and to whom, by their server processes."""

    def __init__(self) -> None:
        self._seconds = self._before = 0.0
        self._tries = 0
        self._whom: dict[int, str] = {}
        self._is_written_down = False

    def begin_try(self) -> None:
        self._before, self._is_written_down = self._seconds, False

    def write_down(self) -> tuple[Wait, ...]:
        """The waits, which stay as they are from now on: whoever watches may still be counting one that has ended."""
        self._is_written_down = True
        return self.waits()

    def add(self, seconds: float, whom: Mapping[int, str]) -> None:
        """The try at hand waited, and may come to its end all the same."""
        if self._is_written_down:
            return
        self._seconds += seconds
        self._whom.update(whom)

    def give_way(self, seconds: float, whom: Mapping[int, str]) -> None:
        """The try was for nothing: all of its time is lost, not only what it waited."""
        self._seconds, self._is_written_down = self._before + seconds, False
        self._whom.update(whom)
        self._tries += 1

    def waits(self) -> tuple[Wait, ...]:
        if self._seconds < _LEAST:
            return ()
        return (Wait("locks", round(self._seconds, 3), tuple(self._whom.values())[:_NAMED], self._tries),)


def as_text(waits: Sequence[Wait]) -> str | None:
    """For the journal; nothing where nobody was waited for."""
    return json.dumps([wait._asdict() for wait in waits]) if waits else None


def from_text(text: str | None) -> tuple[Wait, ...]:
    """Nothing of what somebody else has written there."""
    try:
        found = json.loads(text) if text else []
        return tuple(Wait(each["cause"], each["seconds"], tuple(each["whom"]), each["tries"]) for each in found)
    except (ValueError, TypeError, KeyError):
        return ()
