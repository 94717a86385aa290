"""What was typed into a form that could not be taken: it is shown, and can be sent once more.

Going back would not bring it back: no page of the panel is kept by the browser."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import urlsplit

from flask import request

# No page shows a secret; and without it, the form is not worth sending.
SECRETS = frozenset({"password", "again", "present", "code"})
TOKEN = "csrf_token"  # noqa: S105  # the name of a field
# What no person typed: it goes along unseen.
UNSEEN = frozenset({"expected", "key", "said", "seen"})


class Kept(NamedTuple):
    """Where the form was sent, and all its fields in their order."""

    action: str
    fields: list[tuple[str, str]]

    @property
    def seen(self) -> list[tuple[str, str]]:
        return [(name.replace("_", " "), value) for name, value in self.fields if value and name not in UNSEEN]


def typed() -> Kept | None:
    """None where there was nothing to type, and for a form that is not our own: else a stranger's page could lay its
    words before somebody who is signed in here, with a button that sends them."""
    if request.method != "POST" or not _comes_from_us():
        return None
    fields = [(name, value) for name, value in request.form.items(multi=True) if name != TOKEN]
    kept = Kept(request.full_path.rstrip("?"), fields)
    return None if not kept.seen or SECRETS & set(request.form) else kept


def _comes_from_us() -> bool:
    """As the browser says, whom no page can have say otherwise (Fetch standard, 3.2: the Origin header)."""
    return urlsplit(request.headers.get("Origin", "")).netloc == request.host
