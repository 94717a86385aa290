"""How far a backfill is, and how that looks: a bar on a terminal, a line every few seconds in a log."""

from __future__ import annotations

from typing import NamedTuple

Key = int | str
Failure = tuple[Key, str]

_BAR_EVERY, _LINE_EVERY = 0.1, 5.0
_WIDTH = 24
_NAMED = 10
# Clears a line on a terminal: what a migration logs while the bar stands there begins with it.
CLEAR = "\r\x1b[K"


class Tally(NamedTuple):
    """In rows. `done` counts those that failed too, and over all the deploys that it took; `before` are the rows that
    earlier deploys did. `failures` are the first hundred: key and reason."""

    table: str
    total: int = 0
    done: int = 0
    failed: int = 0
    failures: tuple[Failure, ...] = ()
    before: int = 0
    seconds: float = 0.0
    is_over: bool = False

    @property
    def rate(self) -> float:
        """Rows per second of this run."""
        return (self.done - self.before) / self.seconds if self.seconds else 0.0

    @property
    def percent(self) -> int:
        return 100 * self.done // self.total if self.total else 100

    @property
    def seconds_left(self) -> float | None:
        """None while there is nothing to tell it from."""
        return (self.total - self.done) / self.rate if self.rate else None


class Bar:
    """What to print of each tally: often nothing. Holds when it last said something, in seconds of the run."""

    def __init__(self, *, is_terminal: bool) -> None:
        self._is_terminal = is_terminal
        self._every = _BAR_EVERY if is_terminal else _LINE_EVERY
        self._said = 0.0

    def text(self, tally: Tally) -> str:
        """Ready to be written as it is, with its own line end."""
        if tally.is_over:
            return self._last(tally)
        if not tally.seconds:
            self._said = 0.0
            return self._line(f"{tally.table}: goes on after {_rows(tally)}") if tally.before else ""
        if tally.seconds - self._said < self._every:
            return ""
        self._said = tally.seconds
        return f"{CLEAR}    {_drawn(tally)}\r" if self._is_terminal else self._line(in_words(tally))

    def _last(self, tally: Tally) -> str:
        """Nothing was said of a short one without errors, and nothing is to be."""
        if not (self._said or tally.failed or tally.before):
            return ""
        return self._line(", ".join([in_words(tally), *_left_alone(tally)]))

    def _line(self, text: str) -> str:
        return f"{CLEAR if self._is_terminal else ''}    {text}\n"


def in_words(tally: Tally) -> str:
    """messages: 520,000 of 1,000,000 rows (52 %), 12,345 rows/s, 0:39 left."""
    return ", ".join([f"{tally.table}: {_rows(tally)} ({tally.percent} %)", *_speed(tally)])


def _drawn(tally: Tally) -> str:
    filled = _WIDTH * tally.percent // 100
    bar = "█" * filled + "·" * (_WIDTH - filled)
    return "  ".join([f"{tally.table} [{bar}] {tally.percent:>3} %", *_speed(tally)])


def _rows(tally: Tally) -> str:
    return f"{tally.done:,} of {tally.total:,} row{'s' if tally.total != 1 else ''}"


def _speed(tally: Tally) -> list[str]:
    if tally.seconds_left is None:
        return []
    speed = f"{tally.rate:,.0f} rows/s"
    return [speed, f"in {_clock(tally.seconds)}"] if tally.is_over else [speed, f"{_clock(tally.seconds_left)} left"]


def _left_alone(tally: Tally) -> list[str]:
    return [f"{tally.failed:,} left as they were: {named(tally.failures, tally.failed)}"] if tally.failed else []


def named(failures: tuple[Failure, ...], count: int) -> str:
    """The first few by key, each with its reason."""
    shown = "; ".join(f"{key} ({reason})" for key, reason in failures[:_NAMED])
    return f"{shown}; and {count - _NAMED:,} more" if count > _NAMED else shown


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
