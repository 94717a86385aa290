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
from service.models import OWNER, AuditEvent
from service.models.statement import Statement

pages = Blueprint("audit_log", __name__, url_prefix="/audit-log")

PAGE_SIZE = 50
_PEOPLE = Statement("SELECT email FROM users ORDER BY email")
EMPTY: tuple[object, ...] = ("", None, [], {})
CONDITIONS: Conditions = {
    "who": lambda email: AuditEvent.actor == email,
    "action": lambda words: AuditEvent.action.in_(_meant(words)),
    "since": lambda day: AuditEvent.created_at >= beginning(day),
    "until": lambda day: AuditEvent.created_at < end(day),
}


_EACH_ACTION = """
WITH RECURSIVE each_action(action) AS (
  SELECT min(action) FROM audit_log
  UNION ALL
  SELECT (SELECT min(audit_log.action) FROM audit_log WHERE audit_log.action > each_action.action)
  FROM each_action WHERE each_action.action IS NOT NULL
)
SELECT action FROM each_action WHERE action IS NOT NULL"""


class AuditFilters(Filters):
    who = Choice("Who", default="")
    action = StringField("Action", [at_most(60), Storable()], filters=[strip])
    since = Day("From")
    until = Day("To")


@pages.get("/")
@needs(OWNER)
def index() -> str:
    filters = AuditFilters.of_request(who=[(name, name) for name in _people()])
    place = paging.read_cursor(request.args.get("before", ""))
    # By time, not by number: each filter has an index that ends in it.
    query = filters.narrow(AuditEvent.select(), CONDITIONS)
    query = query.order_by(AuditEvent.created_at.desc(), AuditEvent.id.desc())
    if place:
        query = query.where(pw.Tuple(AuditEvent.created_at, AuditEvent.id) < pw.Tuple(*place))
    page = paging.take(list(query.limit(PAGE_SIZE + 1).namedtuples()), PAGE_SIZE)
    last = page.rows[-1] if page.has_more else None
    return render_template(
        "audit_log.html",
        events=[(event, described(event.details)) for event in page.rows],
        filters=filters,
        actions=_offered(),
        is_first=place is None,
        older=paging.cursor(last.created_at, last.id) if last else None,
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
    return [*(email for (email,) in _PEOPLE.rows()), audit.COMMAND_LINE]


def _offered() -> list[str]:
    """What was ever done, and the nouns that it was done to."""
    actions = _actions()
    return sorted({*actions, *(action.partition(".")[0] for action in actions)})


def _meant(words: str) -> list[str]:
    """The actions of that name, or on that noun."""
    return [action for action in _actions() if action == words or action.startswith(f"{words}.")]


def _actions() -> list[str]:
    """Each once: from one to the next in the index, past all events of the same action."""
    return [action for (action,) in AuditEvent._meta.database.execute_sql(_EACH_ACTION)]
