"""The home page: how much was asked and answered, how fast, at what cost, and whether anything is stuck."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import NamedTuple

from flask import Blueprint, current_app, g, render_template, request

from service.admin.desk.charts import Chart, Series, shares
from service.admin.parts.display import milliseconds
from service.admin.schema import reading
from service.admin.schema.remedies import Remedy
from service.chat import access, deadletters, usage, waiting
from service.chat.tools import servers
from service.chat.usage import Busy, Day, Sums
from service.migrate.errors import MigrateError
from service.migrate.report import Entry
from service.models.base import utc_now

pages = Blueprint("dashboard", __name__)

PERIODS = (7, 30, 90)
USUAL = 30
BUSIEST = 8
MEDIAN, SLOW = 0.5, 0.95


class Figure(NamedTuple):
    """A number of the period, and the same of the period before, in words; `is_bad` asks for attention, and leads to
    the conversations in question."""

    name: str
    value: str
    before: str
    is_bad: bool = False


class Schema(NamedTuple):
    """What there is to say about the migrations in a line: the worst of what their page advises, and what was applied
    last."""

    worst: Remedy | None
    newest: Entry | None


@pages.get("/")
def index() -> str:
    length = request.args.get("days", USUAL, int)
    length = length if length in PERIODS else USUAL
    today = utc_now().date()
    # Twice as long, so that there is something to compare with.
    days = usage.totals(g.user, today - timedelta(days=2 * length - 1), today)
    present = days[length:]
    busiest = usage.busiest(g.user, present[0].day, today, BUSIEST)
    return render_template(
        "dashboard/index.html",
        periods=PERIODS,
        length=length,
        since=present[0].day,
        figures=_figures(_sum(present), _sum(days[:length])),
        charts=_charts(present),
        busiest=_compared(busiest),
        has_chatbots=bool(busiest) or access.chatbots(g.user).exists(),
        tools_trouble=servers.known(current_app.config["SLIPWAY"].mcp_servers).trouble,
        standstill=usage.standstill(),
        depth=waiting.depth(g.user),
        dead=sum(deadletters.count(g.user).values()),
        schema=_schema(),
    )


def _sum(days: list[Day]) -> Sums:
    whole = Sums()
    for day in days:
        whole.add(day)
    return whole


def _figures(present: Sums, past: Sums) -> list[Figure]:
    def figure(name: str, words: Callable[[Sums], str]) -> Figure:
        return Figure(name, words(present), words(past))

    return [
        figure("Conversations", lambda sums: f"{sums.conversations:,}"),
        figure("Messages", lambda sums: f"{sums.messages:,}"),
        figure("Median answer", lambda sums: milliseconds(usage.percentile(sums.durations, MEDIAN))),
        figure("95 of 100 within", lambda sums: milliseconds(usage.percentile(sums.durations, SLOW))),
        figure(_failed(present), lambda sums: f"{sums.errors:,}")._replace(is_bad=present.errors > 0),
        figure("Tokens", lambda sums: _rounded(sums.input_tokens + sums.output_tokens)),
    ]


def _failed(sums: Sums) -> str:
    share = 100 * sums.errors / max(sums.errors + sums.answers, 1)
    return f"Failed, {share:.1f} %" if sums.errors else "Failed answers"


def _rounded(number: int) -> str:
    """`12.3 M`: nobody compares nine digits at a glance."""
    for size, unit in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if number >= size and number >= 10_000:
            return f"{number / size:.3g} {unit}"
    return f"{number:,}"


def _charts(days: list[Day]) -> list[Chart]:
    dates = tuple(day.day for day in days)

    def series(name: str, tone: str, value: Callable[[Day], int | None]) -> Series:
        return Series(name, tone, tuple(value(day) for day in days))

    def quantile(share: float) -> Callable[[Day], int | None]:
        return lambda day: usage.percentile(day.durations, share)

    times = (series("Median", "accent", quantile(MEDIAN)), series("95 of 100", "warn", quantile(SLOW)))
    tokens = (
        series("Read", "calm", lambda day: day.input_tokens),
        series("Written", "accent", lambda day: day.output_tokens),
    )
    return [
        Chart("Messages", dates, (series("Messages", "accent", lambda day: day.messages),)),
        Chart("Conversations begun", dates, (series("Conversations", "calm", lambda day: day.conversations),)),
        Chart("Answer time", dates, times, has_lines=True, show=milliseconds),
        Chart("Failed answers", dates, (series("Failed", "bad", lambda day: day.errors),)),
        Chart("Tokens", dates, tokens),
    ]


def _compared(busiest: list[Busy]) -> list[tuple[Busy, float]]:
    """Each with its share of what the busiest of them was asked."""
    return list(zip(busiest, shares([busy.sums.messages for busy in busiest]), strict=True))


def _schema() -> Schema | None:
    """None where the migrations can't be read; their own page says why."""
    try:
        found = reading.present()
        advised = reading.advised(found)
    except MigrateError:
        return None
    applied = [entry for entry in found.entries if entry.applied_at]
    newest = max(applied, key=lambda entry: (entry.applied_at, entry.name), default=None)
    return Schema(next(iter(advised), None), newest)
