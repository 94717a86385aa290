"""A chatbot is made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from service.chat import options, versions
from service.database import connection, writing
from service.models import Chatbot, Creator, CreatorUser, User


def create(user: User, settings: Mapping[str, Any]) -> Chatbot:
    """A chatbot of the user's creator, with its first version. `settings` may hold the names in SETTINGS, and `title`.
    Raises SettingError for a value that no answer could use."""
    options.check(settings)
    with connection() as database, writing(database):
        chatbot: Chatbot = Chatbot.create(creator=_creator_of(user), **settings)
        versions.current(chatbot)
    return chatbot


def _creator_of(user: User) -> Creator:
    """On whose behalf the user makes chatbots; one of their own name, the first time."""
    mine = Creator.select().join(CreatorUser).where(CreatorUser.user == user).order_by(CreatorUser.id)
    creator: Creator | None = mine.get_or_none()
    if creator is None:
        creator = Creator.create(name=user.name)
        CreatorUser.create(creator=creator, user=user)
    return creator
