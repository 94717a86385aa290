"""How values read on a page: times, counts, JSON, and commands inside a sentence."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any

from flask import Flask
from markupsafe import Markup, escape

from service.admin.access import permissions
from service.admin.parts import color, filters
from service.chat import search
from service.chat.text import shortened
from service.models.base import utc_now

CHANNELS = {"panel": "Panel", "telegram": "Telegram", "api": "HTTP API"}
# By so many seconds, what has happened already may seem to be ahead.
CLOCKS_DIFFER = 5
_UNITS = ((86_400 * 365, "year"), (86_400 * 30, "month"), (86_400, "day"), (3600, "hour"), (60, "minute"))


def init_app(app: Flask) -> None:
    for show in FILTERS:
        app.jinja_env.filters[show.__name__] = show
    # So that a page offers nobody what the server would refuse them.
    app.jinja_env.globals["may"] = permissions.may
    app.jinja_env.globals["as_left"] = filters.as_left


def relative(moment: datetime, now: datetime) -> str:
    """`3 minutes ago`; both in UTC, without a zone."""
    seconds = (now - moment).total_seconds()
    if seconds < 0:
        return _ahead(-seconds)
    for size, unit in _UNITS:
        if seconds >= size:
            return f"{count(int(seconds // size), unit)} ago"
    return "just now"


def _ahead(seconds: float) -> str:
    """To the nearest unit: a link that was made a moment ago for seven days ends in seven days, not in six."""
    for size, unit in _UNITS:
        if seconds >= size:
            return f"in {count(round(seconds / size), unit)}"
    return "in a moment" if seconds > CLOCKS_DIFFER else "just now"


def when(moment: datetime | None) -> Markup:
    """The relative time, with the exact one on hover and for machines."""
    if moment is None:
        return Markup('<span class="quiet">–</span>')
    return _exact(moment, relative(moment, utc_now()))


def lasting(moment: datetime) -> Markup:
    """How long ago that was, `3 minutes`, with the exact time on hover."""
    return _exact(moment, duration(max(utc_now() - moment, timedelta())))


def _exact(moment: datetime, words: str) -> Markup:
    day, time = moment.isoformat(" ", "seconds").split()
    # Numbers and our own words: there is nothing to escape, and a transcript shows a hundred of them.
    return Markup(f'<time datetime="{day}T{time}Z" title="{day} {time} UTC">{words}</time>')  # noqa: S704


def count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def milliseconds(duration: int | None) -> str:
    if duration is None:
        return "–"
    return f"{duration} ms" if duration < 1000 else f"{duration / 1000:.1f} s"


def duration(span: timedelta) -> str:
    """In the largest unit that it fills: `3 minutes`."""
    seconds = int(span.total_seconds())
    size, unit = next(((size, unit) for size, unit in _UNITS if seconds >= size), (1, "second"))
    return count(seconds // size, unit)


def channel(name: str) -> str:
    """As people call it; one that this release does not know has only its name."""
    return CHANNELS.get(name, name)


def pretty(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)


def pretty_text(text: str) -> str:
    """JSON laid out in lines; anything else as it is."""
    try:
        return pretty(json.loads(text))
    except (ValueError, RecursionError):
        return text


def code_marks(text: str) -> Markup:
    """A sentence whose `commands` stand between backticks, with these set as code."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))  # noqa: S704  # escaped just here


def marked(pieces: Iterable[search.Piece]) -> Markup:
    """Text with what was searched for marked in it."""
    parts = (f"<mark>{escape(piece.text)}</mark>" if piece.is_hit else escape(piece.text) for piece in pieces)
    return Markup("".join(parts))  # noqa: S704  # each is escaped just here


FILTERS: tuple[Callable[..., Any], ...] = (
    *(when, lasting, channel, pretty, pretty_text, code_marks, count, milliseconds, duration),
    *(shortened, color.ink_on, search.excerpt, search.highlight, marked),
)
