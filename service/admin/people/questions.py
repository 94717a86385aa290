"""What is asked before something is done to a person that can't be taken back as it was."""

from __future__ import annotations

from typing import Literal, NamedTuple

from flask import g, redirect, render_template, url_for
from werkzeug.wrappers import Response

from service.admin.access import invitations
from service.admin.access.permissions import needs
from service.admin.parts.display import count
from service.admin.parts.records import find
from service.admin.people.members import pages
from service.models import OWNER, User

Verb = Literal["close", "second-step"]


class Question(NamedTuple):
    """`goes` is what is lost; `button` does it."""

    title: str
    goes: str
    button: str


@pages.get("/<int:user_id>/<any('close', 'second-step'):verb>")
@needs(OWNER)
def confirm(user_id: int, verb: Verb) -> str | Response:
    """Nobody is asked about what would be refused: see the verbs themselves."""
    person = find(User, user_id)
    has_it = person.is_active if verb == "close" else person.totp_secret
    if person.id == g.user.id or not has_it:
        return redirect(url_for("people.show", user_id=person.id))
    return render_template("people/confirm.html", person=person, question=_question(person, verb))


def _question(person: User, verb: Verb) -> Question:
    if verb == "second-step":
        goes = "The secret on their telephone is worth nothing any more, and the password alone opens the panel, until "
        return Question("Turn off the second step", f"{goes}they turn it on anew.", "Turn it off")
    sent = len([one for one in invitations.waiting() if one.invited_by == person])
    lost = f" {count(sent, 'invitation')} of theirs that nobody has accepted: withdrawn." if sent else ""
    goes = f"They are signed out everywhere, and can't sign in. What they made stays.{lost}"
    return Question("Disable the account", f"{goes} You can enable it again.", "Disable it")
