"""Who changed what, when and from where. Written beside each change; read by owners, and changed by nobody."""

from __future__ import annotations

from typing import Any

import peewee as pw
from flask import Blueprint, render_template, request
from wtforms import StringField

from service import audit
from service.admin.access.permissions import needs
from service.admin.parts import paging
from service.admin.parts.choices import Choice
from service.admin.parts.filters import Conditions, Day, Filters, beginning, end
from service.admin.parts.forms import Storable, at_most, strip
from service.models import OWNER, AuditEvent, User

pages = Blueprint("audit_log", __name__, url_prefix="/audit-log")

PAGE_SIZE = 50
# Of so many latest events the actions are offered; older ones can be typed.
OFFERED = 1000
EMPTY: tuple[object, ...] = ("", None, [], {})
CONDITIONS: Conditions = {
    "who": lambda email: AuditEvent.actor == email,
    "action": lambda words: (AuditEvent.action == words) | AuditEvent.action.startswith(f"{words}."),
    "since": lambda day: AuditEvent.created_at >= beginning(day),
    "until": lambda day: AuditEvent.created_at < end(day),
}


class AuditFilters(Filters):
    who = Choice("Who", default="")
    action = StringField("Action", [at_most(60), Storable()], filters=[strip])
    since = Day("From")
    until = Day("To")


@pages.get("/")
@needs(OWNER)
def index() -> str:
    filters = AuditFilters.of_request(who=[(name, name) for name in _people()])
    before = paging.read_id(request.args.get("before", ""))
    query = filters.narrow(AuditEvent.select(), CONDITIONS).order_by(AuditEvent.id.desc())
    if before:
        query = query.where(AuditEvent.id < before)
    page = paging.take(list(query.limit(PAGE_SIZE + 1)), PAGE_SIZE)
    return render_template(
        "audit_log.html",
        events=[(event, described(event.details)) for event in page.rows],
        filters=filters,
        actions=_actions(),
        is_first=before is None,
        older=page.rows[-1].id if page.has_more else None,
    )


def described(details: dict[str, Any]) -> list[str]:
    """Each detail in words; what is empty says nothing."""
    return [f"{name.replace('_', ' ')}: {_words(value)}" for name, value in details.items() if value not in EMPTY]


def _words(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {inner}" for name, inner in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _people() -> list[str]:
    """Nobody is ever removed, so these are all who can stand in the log."""
    return [*(user.email for user in User.select(User.email).order_by(User.email)), audit.COMMAND_LINE]


def _actions() -> list[str]:
    """What was done lately, and the nouns that it was done to."""
    latest = AuditEvent.select(AuditEvent.action).order_by(AuditEvent.id.desc()).limit(OFFERED).alias("latest")
    query: Any = pw.Select([latest], [latest.c.action]).distinct().bind(AuditEvent._meta.database)
    actions = {action for (action,) in query.tuples()}
    return sorted(actions | {action.partition(".")[0] for action in actions})
