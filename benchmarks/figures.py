"""What was measured against what was aimed at, as plain data and as Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """One number with its aim, at most or (`at_least`) no less; `unit` is empty for a ratio."""

    title: str
    value: float
    aim: float
    at_least: bool = False
    unit: str = ""

    @property
    def is_reached(self) -> bool:
        return self.value >= self.aim if self.at_least else self.value <= self.aim


@dataclass(frozen=True)
class Result:
    """One comparison: the medians that were taken, in seconds, and the figures that follow from them."""

    title: str
    medians: Sequence[tuple[str, float]]
    figures: Sequence[Figure]


def markdown(result: Result) -> str:
    """A section: the medians, then each figure against its aim."""
    lines = [f"### {result.title}", "", "| whole process | median |", "|---|---:|"]
    lines += [f"| {name} | {seconds * 1000:,.0f} ms |" for name, seconds in result.medians]
    if result.figures:
        lines += ["", "| figure | measured | aim | |", "|---|---:|---:|---|"]
        lines += [_row(figure) for figure in result.figures]
    return "\n".join([*lines, ""])


def _row(figure: Figure) -> str:
    bound = "≥" if figure.at_least else "≤"
    verdict = "reached" if figure.is_reached else "**not reached**"
    return f"| {figure.title} | {figure.value:.2f}{figure.unit} | {bound} {figure.aim:g}{figure.unit} | {verdict} |"
