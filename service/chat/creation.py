"""A chatbot is made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from service.chat import options, versions
from service.database import connection, writing
from service.models import Chatbot, Creator, CreatorUser, User


def create(user: User, settings: Mapping[str, Any], creator: Creator | None = None) -> Chatbot:
    """A chatbot of this creator, else of the user's own, with its first version. `settings` may hold the names in
    SETTINGS, and `title`. Raises SettingError for a value that no answer could use."""
    options.check(settings)
    with connection() as database, writing(database):
        chatbot: Chatbot = Chatbot.create(creator=creator or creator_of(user) or _own_creator(user), **settings)
        versions.current(chatbot)
    return chatbot


def creator_of(user: User) -> Creator | None:
    """On whose behalf the user makes chatbots if they don't say; None before the first time."""
    mine = Creator.select().join(CreatorUser).where(CreatorUser.user == user).order_by(CreatorUser.id)
    found: Creator | None = mine.first()
    return found


def _own_creator(user: User) -> Creator:
    creator: Creator = Creator.create(name=user.name)
    CreatorUser.create(creator=creator, user=user)
    return creator
