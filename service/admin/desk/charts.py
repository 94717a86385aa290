"""Pictures of numbers by day, drawn as SVG on the server.

A plot is a square of 100 by 100 that the page stretches; so it holds shapes and no text. What they say stands beside
it, and once more in a table. What there is of each day is written here: a page has five pictures of up to ninety days,
and a template takes five times as long for them. It is numbers and our own words, so that nothing has to be escaped."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property, lru_cache
from typing import NamedTuple

from markupsafe import Markup

GAP = 0.2  # of the width that a day has


class Series(NamedTuple):
    """One number a day, None where there was nothing to measure; `tone` is the class that gives the colour."""

    name: str
    tone: str
    values: tuple[int | None, ...]


class Bar(NamedTuple):
    x: float
    y: float
    width: float
    height: float
    tone: str

    @property
    def path(self) -> str:
        """For one drawing of many bars."""
        return f"M{self.x} {self.y}h{self.width}v{self.height}h-{self.width}z"


class Line(NamedTuple):
    points: str
    tone: str


def plain(value: int | None) -> str:
    return "–" if value is None else f"{value:,}"


@dataclass(frozen=True)
class Chart:
    """Bars stand on each other; lines are interrupted where there is no value. `show` puts a value into words."""

    title: str
    days: tuple[date, ...]
    series: tuple[Series, ...]
    has_lines: bool = False
    show: Callable[[int | None], str] = plain

    @cached_property
    def top(self) -> int:
        """The value at the upper edge."""
        values = [[value or 0 for value in series.values] for series in self.series]
        heights = [max(day) if self.has_lines else sum(day) for day in zip(*values, strict=True)]
        return round_up(max(heights, default=0))

    @cached_property
    def is_empty(self) -> bool:
        return not any(value for series in self.series for value in series.values)

    @cached_property
    def step(self) -> float:
        return 100 / max(len(self.days), 1)

    def bars(self) -> list[Bar]:
        if self.has_lines:
            return []
        floors = [100.0] * len(self.days)
        found = []
        for series in self.series:
            for place, value in enumerate(series.values):
                if value:
                    height = 100 * value / self.top
                    floors[place] -= height
                    left = (place + GAP / 2) * self.step
                    found.append(_bar(left, floors[place], self.step * (1 - GAP), height, series.tone))
        return found

    def lines(self) -> list[Line]:
        if not self.has_lines:
            return []
        return [Line(points, series.tone) for series in self.series for points in self._runs(series)]

    @cached_property
    def shapes(self) -> Markup:
        """What the plot holds: bars or lines, and over each day a stripe that says its numbers to a mouse."""
        bars = "".join(f'<path class="tone-{tone}" d="{path}"/>' for tone, path in self.paths().items())
        lines = "".join(
            f'<polyline class="tone-{line.tone}" points="{line.points}" vector-effect="non-scaling-stroke"/>'
            for line in self.lines()
        )
        return Markup(f"{bars}{lines}{self._stripes()}")  # noqa: S704

    def paths(self) -> dict[str, str]:
        """The bars of each tone as one path."""
        found: dict[str, str] = {}
        for bar in self.bars():
            found[bar.tone] = found.get(bar.tone, "") + bar.path
        return found

    def _stripes(self) -> str:
        width = round(self.step, 2)
        return "".join(
            f'<rect class="hover" x="{round(place * self.step, 2)}" width="{width}" height="100">'
            f"<title>{_spelled(day)}: {' · '.join(words)}</title></rect>"
            for place, (day, words) in enumerate(reversed(self.rows))
        )

    @cached_property
    def body(self) -> Markup:
        """The rows of the table."""
        rows = (
            f'<tr><th scope="row">{day}</th>' + "".join(f'<td class="number">{word}</td>' for word in words) + "</tr>"
            for day, words in self.rows
        )
        return Markup("".join(rows))  # noqa: S704

    def _runs(self, series: Series) -> list[str]:
        """The points of each stretch of days that have a value."""
        runs: list[list[tuple[float, float]]] = [[]]
        for place, value in enumerate(series.values):
            if value is None:
                runs.append([])
            else:
                runs[-1].append(((place + 0.5) * self.step, 100 - 100 * value / self.top))
        return [_points(run, self.step / 2) for run in runs if run]

    @cached_property
    def rows(self) -> list[tuple[date, list[str]]]:
        """The table, the latest day first."""
        values = zip(*(series.values for series in self.series), strict=True)
        rows = [(day, [self.show(value) for value in of_day]) for day, of_day in zip(self.days, values, strict=True)]
        return rows[::-1]


def round_up(value: int) -> int:
    """To 1, 2 or 5 and zeros: the next number that reads well at the edge of a picture."""
    size = 1
    while size * 10 <= value:
        size *= 10
    return next(size * step for step in (1, 2, 5, 10) if size * step >= value)


def shares(values: Sequence[int]) -> list[float]:
    """Each as a part of the largest, from 0 to 100."""
    largest = max(values, default=0) or 1
    return [100 * value / largest for value in values]


@lru_cache(maxsize=256)  # five pictures have the same days
def _spelled(day: date) -> str:
    return f"{day:%a, %d %b}"


def _bar(x: float, y: float, width: float, height: float, tone: str) -> Bar:
    return Bar(round(x, 2), round(y, 2), round(width, 2), round(height, 2), tone)


def _points(run: list[tuple[float, float]], width: float) -> str:
    """A day that stands alone becomes a short stroke."""
    if len(run) == 1:
        x, y = run[0]
        run = [(x - width / 2, y), (x + width / 2, y)]
    return " ".join(f"{x:.2f},{y:.2f}" for x, y in run)
