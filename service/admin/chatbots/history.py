"""The history of a chatbot: one version, any two side by side, and going back to one."""

from __future__ import annotations

from collections.abc import Sequence

import peewee as pw
from flask import abort, flash, g, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from service import audit
from service.admin.access.permissions import needs
from service.admin.chatbots.listing import pages, versions_of
from service.admin.parts import errors
from service.admin.parts.records import LARGEST_ID, find_chatbot
from service.chat import versions
from service.chat.versions import Line
from service.database import proxy, writing
from service.models import EDITOR, Chatbot, ChatbotVersion, User

# So many equal lines stay on either side of a change; what lies between is counted.
AROUND = 3


@pages.get("/<int:chatbot_id>/versions/<int:number>")
def version(chatbot_id: int, number: int) -> str:
    chatbot = find_chatbot(chatbot_id)
    shown = _numbered(chatbot, number)
    current = versions.current(chatbot)
    return render_template("chatbots/version.html", chatbot=chatbot, version=shown, current=current)


@pages.get("/<int:chatbot_id>/compare")
def compare(chatbot_id: int) -> str:
    """Without a choice, what is live beside what was live before it."""
    chatbot = find_chatbot(chatbot_id)
    current = versions.current(chatbot)
    new = _numbered(chatbot, request.args.get("new", current.number, int))
    old = _numbered(chatbot, request.args.get("old", max(1, new.number - 1), int))
    found = [(one, folded(one.lines)) for one in versions.differences(old, new)]
    return render_template(
        "chatbots/compare.html",
        chatbot=chatbot,
        versions=versions_of(chatbot),
        old=old,
        new=new,
        found=found,
        current=current,
    )


@pages.get("/<int:chatbot_id>/versions/<int:number>/make-current")
@needs(EDITOR)
def confirm(chatbot_id: int, number: int) -> str:
    chatbot = find_chatbot(chatbot_id)
    current = versions.current(chatbot)
    wanted = _numbered(chatbot, number)
    found = [(one, folded(one.lines)) for one in versions.differences(current, wanted)]
    return render_template("chatbots/make_current.html", chatbot=chatbot, version=wanted, current=current, found=found)


@pages.post("/<int:chatbot_id>/versions/<int:number>/make-current")
def make_current(chatbot_id: int, number: int) -> Response | tuple[str, int]:
    chatbot = find_chatbot(chatbot_id)
    expected = request.form.get("expected", 0, int)
    try:
        with writing(proxy.obj):
            made = versions.make_current(chatbot, number, expected=expected, author=g.user)
            said = f"{chatbot.title}, version {made.number}"
            details = {"settings_of": number}
            audit.record(g.user, "chatbot.publish", said, address=request.remote_addr, details=details)
    except LookupError:
        abort(404)
    except versions.VersionConflict as conflict:
        advice = f"Version {conflict.current} was published meanwhile. Look at it, then decide again."
        return errors.page(409, (errors.TEXTS[409][0], advice))
    flash(f"Version {made.number} is live, with the settings of version {number}.", "success")
    return redirect(url_for("chatbots.show", chatbot_id=chatbot.id), 303)


def folded(lines: Sequence[Line], around: int = AROUND) -> list[Line | int]:
    """The lines, with long stretches that are equal replaced by how many they are."""
    changed = [number for number, line in enumerate(lines) if line.is_changed]
    kept = {near for number in changed for near in range(number - around, number + around + 1)}
    kept |= {number for number in range(len(lines)) if {number - 1, number + 1} <= kept}  # no room is saved by one
    found: list[Line | int] = []
    for number, line in enumerate(lines):
        if number in kept:
            found.append(line)
        elif found and isinstance(found[-1], int):
            found[-1] += 1
        else:
            found.append(1)
    return found


def _numbered(chatbot: Chatbot, number: int) -> ChatbotVersion:
    """With who made it; the 404 page for a number that the chatbot has no version of."""
    if not 0 < number <= LARGEST_ID:
        abort(404)
    found: ChatbotVersion | None = (
        ChatbotVersion.select(ChatbotVersion, User)
        .join(User, pw.JOIN.LEFT_OUTER, on=ChatbotVersion.created_by)
        .where(ChatbotVersion.chatbot == chatbot, ChatbotVersion.number == number)
        .first()
    )
    return found or abort(404)
