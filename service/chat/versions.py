"""The immutable versions of a chatbot. A change never edits a version: it makes the next one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import peewee as pw

from service.chat import options
from service.chat.differences import Difference, Line, differences
from service.database import connection, writing
from service.models import SETTINGS, Chatbot, ChatbotVersion, CreatorUser, User

__all__ = [
    "Difference",
    "Line",
    "VersionConflict",
    "current",
    "differences",
    "make_current",
    "publish",
]

FIRST_NOTES = "Made on first use."


class VersionConflict(Exception):
    """Somebody else published a version in the meantime."""

    def __init__(self, expected: int, current: int) -> None:
        self.expected, self.current = expected, current
        what = f"Version {current} was published while version {expected} was being edited"
        if expected > current:
            what = f"Version {expected} is not the current one, {current} is"
        super().__init__(f"{what}; reload, look at the difference and publish again.")


def current(chatbot: Chatbot) -> ChatbotVersion:
    """The version that new conversations begin with. A chatbot without one gets it here, from its own fields."""
    with connection() as database:
        found = _pointed_at(chatbot)
        if found:
            return found
        with writing(database):
            return _current_of(_locked(chatbot))


def publish(
    chatbot: Chatbot, changes: Mapping[str, Any], *, expected: int, author: User | None, notes: str = ""
) -> ChatbotVersion:
    """Make the next version from the current settings and the changes, and move the chatbot to it.

    `expected` is the number of the version that the editor started from; VersionConflict if it is not the current
    one any more. `changes` may hold the names in SETTINGS and `title`, which is the chatbot's alone; ValueError for
    any other, and SettingError, which is one, for a value that no answer could use. The given chatbot is brought up
    to date."""
    if unknown := sorted(set(changes) - {*SETTINGS, "title"}):
        raise ValueError(f"A version has no setting named {', '.join(unknown)}.")

    def changed(base: ChatbotVersion) -> Mapping[str, Any]:
        options.check(changes, _settings_of(base))
        return changes

    return _next(chatbot, changed, expected, author, notes)


def make_current(chatbot: Chatbot, number: int, *, expected: int, author: User | None) -> ChatbotVersion:
    """Go back to the settings of an older version: publish them as the next one. LookupError if there is no such
    version; VersionConflict as in `publish`. What was good enough once is not checked again."""

    def older(_base: ChatbotVersion) -> Mapping[str, Any]:
        return _settings_of(_numbered(chatbot, number))

    return _next(chatbot, older, expected, author, f"The settings of version {number} again.")


def _next(
    chatbot: Chatbot,
    changes: Callable[[ChatbotVersion], Mapping[str, Any]],
    expected: int,
    author: User | None,
    notes: str,
) -> ChatbotVersion:
    with connection() as database, writing(database):
        stored = _locked(chatbot)
        base = _current_of(stored)
        if base.number != expected:
            raise VersionConflict(expected, base.number)
        _assign(stored, _settings_of(base) | dict(changes(base)))
        version = _snapshot(stored, author, notes)
    _assign(chatbot, {**_settings_of(version), "title": stored.title, "current_version": version})
    return version


def _numbered(chatbot: Chatbot, number: int) -> ChatbotVersion:
    found: ChatbotVersion | None = ChatbotVersion.get_or_none(
        (ChatbotVersion.chatbot == chatbot.id) & (ChatbotVersion.number == number)
    )
    if found is None:
        raise LookupError(f"{chatbot.title} has no version {number}.")
    return found


def _locked(chatbot: Chatbot) -> Chatbot:
    """The chatbot as it is stored, held until the transaction ends; SQLite holds the whole database already."""
    query = Chatbot.select().where(Chatbot.id == chatbot.id)
    if Chatbot._meta.database.for_update:
        query = query.for_update()
    found: Chatbot = query.get()
    return found


def _pointed_at(chatbot: Chatbot) -> ChatbotVersion | None:
    return (
        ChatbotVersion.select()
        .join(Chatbot, on=(Chatbot.current_version == ChatbotVersion.id))
        .where(Chatbot.id == chatbot.id)
        .get_or_none()
    )


def _current_of(stored: Chatbot) -> ChatbotVersion:
    return _pointed_at(stored) or _snapshot(stored, _first_user(stored), FIRST_NOTES)


def _snapshot(stored: Chatbot, author: User | None, notes: str) -> ChatbotVersion:
    """Freeze the chatbot's fields as the next version and make it the current one."""
    version = ChatbotVersion.create(
        chatbot=stored, number=_highest_number(stored) + 1, created_by=author, notes=notes, **_settings_of(stored)
    )
    stored.current_version = version
    stored.save()
    return version


def _highest_number(stored: Chatbot) -> int:
    newest = pw.fn.MAX(ChatbotVersion.number)
    highest: int | None = ChatbotVersion.select(newest).where(ChatbotVersion.chatbot == stored).scalar()
    return highest or 0


def _first_user(stored: Chatbot) -> User | None:
    """Nobody, where the creator has no user: that must not keep a chatbot from working."""
    members = User.select().join(CreatorUser).where(CreatorUser.creator == stored.creator_id)
    return members.order_by(User.id).get_or_none()


def _settings_of(row: Chatbot | ChatbotVersion) -> dict[str, Any]:
    return {name: getattr(row, name) for name in SETTINGS}


def _assign(chatbot: Chatbot, values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        setattr(chatbot, name, value)
