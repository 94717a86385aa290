"""What was typed into a form that could not be taken, because the session has ended or the database does not answer: it
is shown again, and one press sends it.

Going back would not bring it back: no page of the panel is kept by the browser. Nor does the panel keep it: it travels
with the pages until it can be sent, through the sign-in as one hidden field."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar
from urllib.parse import urlsplit

from flask import current_app, flash, g, has_app_context, request
from flask_wtf.csrf import validate_csrf
from werkzeug.datastructures import ImmutableMultiDict
from wtforms import Form, HiddenField, StringField, ValidationError

View = TypeVar("View", bound=Callable[..., Any])

TOKEN = "csrf_token"  # noqa: S105  # the name of a field
# As which it goes through the sign-in.
FIELD = "kept"
AGAIN = "Nothing was changed: your session had ended. What you typed is here; look at it, then send it."


class Kept(NamedTuple):
    """Where the form was sent, all its fields in their order, and whose labels they have."""

    action: str
    fields: list[tuple[str, str]]
    form: Callable[[], Form] | None

    @property
    def seen(self) -> list[tuple[str, str]]:
        """What was typed, under the names that it had on its page."""
        labels = _labels(self.form()) if self.form else {}
        named = [(labels.get(name) or _column(name), value) for name, value in self.fields if value]
        return [(label, value) for label, value in named if label]

    @property
    def text(self) -> str:
        return json.dumps(self.fields, ensure_ascii=False)


def shown_again(form: Callable[[], Form] | None = None) -> Callable[[View], View]:
    """Decorates a view that, where `is_shown_again`, draws its page with what was typed and does nothing else: what
    asks its form to validate does that by itself. Not a form with a secret: no page shows one, and without it the rest
    is not worth sending. The form gives the labels; without one, the fields are columns."""

    def mark(view: View) -> View:
        view.shown_again = form  # type: ignore[attr-defined]  # functions take attributes
        return view

    return mark


def is_shown_again() -> bool:
    """Never where a form is checked without a page."""
    return has_app_context() and "is_shown_again" in g


def typed() -> Kept | None:
    """None where there was nothing to type, and for a form that is not our own: else a stranger's page could lay its
    words before somebody who is signed in here, with a button that sends them."""
    view: Any = current_app.view_functions.get(request.endpoint or "")
    if request.method != "POST" or not hasattr(view, "shown_again") or not comes_from_us():
        return None
    sent = _read(carried()) if carried() else request.form.items(multi=True)
    fields = [(name, value) for name, value in sent if name != TOKEN]
    is_typed = any(value for _name, value in fields)
    return Kept(request.full_path.rstrip("?"), fields, view.shown_again) if is_typed else None


def carried() -> str:
    """What goes through the sign-in, as it came."""
    return request.form.get(FIELD, "")


def show_again() -> Any:
    """The page of the form, for one that can't be taken: its token is stale, or it has come through the sign-in. None
    for all others, which the check of the token comes next for."""
    kept = typed()
    if kept is None or (not carried() and has_token()):
        return None
    request.form = ImmutableMultiDict(kept.fields)
    g.is_shown_again = True
    flash(AGAIN, "warning")
    return current_app.view_functions[request.endpoint or ""](**request.view_args or {})


def _read(text: str) -> list[tuple[str, str]]:
    try:
        return [(str(name), str(value)) for name, value in json.loads(text)]
    except (ValueError, TypeError, RecursionError):
        return []


def _labels(form: Form) -> dict[str, str]:
    """Of its texts: what was chosen from a list is a number here."""
    texts = (field for field in form if isinstance(field, StringField) and not isinstance(field, HiddenField))
    return {field.name: field.label.text for field in texts}


def _column(name: str) -> str:
    """Of a field of the data browser (studio/entry.py)."""
    return name.removeprefix("value:") if name.startswith("value:") else ""


def has_token() -> bool:
    try:
        validate_csrf(request.form.get(TOKEN))
    except ValidationError:
        return False
    return True


def comes_from_us() -> bool:
    """As the browser says, whom no page can have say otherwise (Fetch standard, 3.2: the Origin header)."""
    return urlsplit(request.headers.get("Origin", "")).netloc == request.host
