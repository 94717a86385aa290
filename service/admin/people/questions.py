"""What is asked before something is done to people that can't be taken back as it was."""

from __future__ import annotations

from typing import Literal, NamedTuple

from flask import g, redirect, render_template, url_for
from werkzeug.wrappers import Response

from service.admin.access import invitations
from service.admin.access.permissions import needs
from service.admin.parts.display import count
from service.admin.parts.records import find
from service.admin.people.members import pages
from service.models import OWNER, Invitation, User

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
    back = url_for("people.show", user_id=person.id)
    return render_template("people/confirm.html", over=person.name, back=back, question=_question(person, verb))


@pages.get("/invitations/<int:invitation_id>/withdraw")
@needs(OWNER)
def confirm_withdrawal(invitation_id: int) -> str | Response:
    invitation, back = find(Invitation, invitation_id), url_for("people.index")
    if invitation.accepted_at:
        return redirect(back)
    goes = "The link that they were given opens nothing any more. You can invite them again, with another link."
    question = Question(f"Withdraw the invitation of {invitation.email}?", goes, "Withdraw it")
    return render_template("people/confirm.html", over="People", back=back, question=question)


def _question(person: User, verb: Verb) -> Question:
    if verb == "second-step":
        goes = "The secret on their telephone is worth nothing any more, and the password alone opens the panel, until "
        title = f"Turn off the second step of {person.name}?"
        return Question(title, f"{goes}they turn it on anew.", "Turn it off")
    sent = len([one for one in invitations.waiting() if one.invited_by == person])
    lost = f" {count(sent, 'invitation')} of theirs that nobody has accepted: withdrawn." if sent else ""
    goes = f"They are signed out everywhere, and can't sign in. What they made stays.{lost}"
    return Question(f"Disable the account of {person.name}?", f"{goes} You can enable it again.", "Disable it")
