"""The tools that were called to answer: with what, with which result, and how long it took."""

from __future__ import annotations

from typing import Any

import peewee as pw
from flask import Blueprint, g, render_template, request
from wtforms import StringField

from service.admin.parts import paging
from service.admin.parts.choices import Choice
from service.admin.parts.filters import Conditions, Day, Filters, Number, beginning, end
from service.admin.parts.forms import Storable, at_most, strip
from service.admin.parts.records import find_among
from service.chat import access
from service.models import Conversation, ToolLog

pages = Blueprint("toolcalls", __name__, url_prefix="/tool-calls")

PAGE_SIZE = 50
# Of so many latest calls the names are offered; older ones can be typed.
OFFERED = 1000
# What the list shows: arguments and results can be long.
COLUMNS = (
    *(ToolLog.id, ToolLog.server, ToolLog.tool, ToolLog.error, ToolLog.duration_ms, ToolLog.created_at),
    *(ToolLog.session, Conversation.title),
)
OUTCOMES = {"failed": "Failed", "worked": "Worked"}
# What each filter asks of a call.
CONDITIONS: Conditions = {
    "server": lambda name: ToolLog.server == name,
    "tool": lambda name: ToolLog.tool == name,
    "outcome": lambda outcome: ToolLog.error.is_null(outcome == "worked"),
    "slower": lambda duration: ToolLog.duration_ms >= duration,
    "since": lambda day: ToolLog.created_at >= beginning(day),
    "until": lambda day: ToolLog.created_at < end(day),
}


class ToolCallFilters(Filters):
    server = StringField("Server", [at_most(120), Storable()], filters=[strip])
    tool = StringField("Tool", [at_most(120), Storable()], filters=[strip])
    outcome = Choice("Outcome", default="")
    slower = Number("Took at least, ms", 0, 2**31 - 1, "Type a number of milliseconds, such as 1500.")
    since = Day("From")
    until = Day("To")


@pages.get("/")
def index() -> str:
    filters = ToolCallFilters.of_request(outcome=OUTCOMES.items())
    before = paging.read_id(request.args.get("before", ""))
    query = filters.narrow(access.tool_logs(g.user), CONDITIONS).order_by(ToolLog.id.desc())
    if before:
        query = query.where(ToolLog.id < before)
    page = paging.take(list(query.select(*COLUMNS).limit(PAGE_SIZE + 1).namedtuples()), PAGE_SIZE)
    return render_template(
        "toolcalls/index.html",
        calls=page.rows,
        filters=filters,
        names=_names(),
        is_first=before is None,
        older=page.rows[-1].id if page.has_more else None,
    )


@pages.get("/<int:call_id>")
def show(call_id: int) -> str:
    return render_template("toolcalls/show.html", call=find_among(access.tool_logs(g.user), ToolLog, call_id))


def _names() -> dict[str, list[str]]:
    """What may be chosen as server and as tool."""
    names = access.tool_logs(g.user).select(ToolLog.server, ToolLog.tool)
    latest = names.order_by(ToolLog.id.desc()).limit(OFFERED).alias("latest")
    pairs: Any = pw.Select([latest], [latest.c.server, latest.c.tool]).distinct().bind(ToolLog._meta.database)
    rows = list(pairs.tuples())
    return {"server": sorted({server for server, _ in rows}), "tool": sorted({tool for _, tool in rows})}
