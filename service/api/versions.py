"""The versions of a chatbot: what was live when, what differs, and going back."""

from __future__ import annotations

from typing import Any, Literal

import peewee as pw
from flask import g
from pydantic import Field

from service.api import changes
from service.api.chatbots import Published, conflicting
from service.api.endpoints import Group
from service.api.problems import Problem
from service.api.records import find_chatbot
from service.api.shapes import Settings, VersionAnswer, VersionEntry
from service.api.tokens import READ, WRITE
from service.api.values import LARGEST, Answer, Number, Page, Paging, Request, VersionNumber
from service.chat import versions
from service.database import proxy, writing
from service.models import Chatbot, ChatbotVersion, User

group = Group("Versions", "What was live when, what differs, and going back. A version never changes.")


class Against(Request):
    against: Number | None = Field(None, description="The older version; without it, the one before.")


class Line(Answer):
    """A line of the older text, of the newer one, or of both."""

    kind: Literal["same", "removed", "added"]
    text: str


class Difference(Answer):
    setting: str
    lines: list[Line]


class Differences(Answer):
    old: int
    new: int
    differences: list[Difference]


class MakeCurrent(Request):
    expected_version: VersionNumber | None = Field(
        None, description="The version that is current now: 409 if another one is."
    )


@group.get("/chatbots/<int:chatbot_id>/versions", scope=READ, query=Paging, answer=Page[VersionEntry])
def index(chatbot_id: int, query: Paging) -> Page[VersionEntry]:
    """The versions of a chatbot, the newest first."""
    chatbot = find_chatbot(chatbot_id)
    current = versions.current(chatbot).number
    found = _versions(chatbot).order_by(ChatbotVersion.number.desc()).limit(query.limit + 1)
    if query.cursor is not None:
        found = found.where(ChatbotVersion.number < query.cursor)
    rows = list(found)
    shown = rows[: query.limit]
    more = shown[-1].number if len(rows) > query.limit else None
    return Page(items=[VersionEntry(**_entry(row, current)) for row in shown], next_cursor=more)


@group.get("/chatbots/<int:chatbot_id>/versions/<int:number>", scope=READ, answer=VersionAnswer)
def show(chatbot_id: int, number: int) -> VersionAnswer:
    """One version with its settings."""
    chatbot = find_chatbot(chatbot_id)
    version = _find(chatbot, number)
    entry = _entry(version, versions.current(chatbot).number)
    return VersionAnswer(**entry, **Settings.model_validate(version).model_dump())


@group.get(
    "/chatbots/<int:chatbot_id>/versions/<int:number>/differences",
    scope=READ,
    query=Against,
    answer=Differences,
    refusals=(404,),
)
def compare(chatbot_id: int, number: int, query: Against) -> Differences:
    """What differs between two versions, setting by setting and line by line.

    JSON is compared with its keys in order, one value a line."""
    chatbot = find_chatbot(chatbot_id)
    new = _find(chatbot, number)
    old = _find(chatbot, query.against or max(1, number - 1))
    found = [_difference(difference) for difference in versions.differences(old, new)]
    return Differences(old=old.number, new=new.number, differences=found)


@group.post(
    "/chatbots/<int:chatbot_id>/versions/<int:number>/make-current",
    scope=WRITE,
    body=MakeCurrent,
    answer=Published,
    refusals=(409,),
)
def make_current(chatbot_id: int, number: int, body: MakeCurrent) -> Published:
    """Go back to the settings of a version.

    No version is ever changed or taken away: this publishes the next one, with the settings of that one."""
    chatbot = find_chatbot(chatbot_id)
    version = _find(chatbot, number)
    with writing(proxy.obj):
        expected = versions.current(chatbot).number if body.expected_version is None else body.expected_version
        try:
            made = versions.make_current(chatbot, version.number, expected=expected, author=g.user)
        except versions.VersionConflict as conflict:
            raise conflicting(conflict) from None
        changes.note("chatbot.publish", f"{chatbot.title}, version {made.number}", settings_of=version.number)
    return Published(success=True, version=made.number)


def _versions(chatbot: Chatbot) -> pw.ModelSelect[ChatbotVersion]:
    found: pw.ModelSelect[ChatbotVersion] = (
        ChatbotVersion.select(ChatbotVersion, User)
        .join(User, pw.JOIN.LEFT_OUTER, on=ChatbotVersion.created_by)
        .where(ChatbotVersion.chatbot == chatbot)
    )
    return found


def _find(chatbot: Chatbot, number: int) -> ChatbotVersion:
    found = _versions(chatbot).where(ChatbotVersion.number == number).get_or_none() if number <= LARGEST else None
    if found is None:
        raise Problem(404, f"{chatbot.title} has no version {number}.")
    version: ChatbotVersion = found
    return version


def _entry(version: ChatbotVersion, current: int) -> dict[str, Any]:
    return {
        "number": version.number,
        "notes": version.notes,
        "created_by": version.created_by.email if version.created_by else None,
        "created_at": version.created_at,
        "is_current": version.number == current,
    }


def _difference(difference: versions.Difference) -> Difference:
    lines: list[Line] = []
    for line in difference.lines:
        if line.old and line.new and not line.is_changed:
            lines.append(Line(kind="same", text=line.new[1]))
            continue
        lines += [Line(kind="removed", text=line.old[1])] if line.old else []
        lines += [Line(kind="added", text=line.new[1])] if line.new else []
    return Difference(setting=difference.setting, lines=lines)
