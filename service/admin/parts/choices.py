"""What a list to choose from offers: as much as a list can hold, and always what was asked for."""

from __future__ import annotations

from typing import Any

from service.admin.parts.records import LARGEST_ID
from service.chat import access
from service.models import Chatbot, Persona, User

OFFERED = 100

Choices = list[tuple[int, str]]


def chatbots(user: User, asked: int | None = None) -> Choices:
    """By title."""
    known = access.chatbots(user).select(Chatbot.id, Chatbot.title)
    return _offered(known.order_by(Chatbot.title, Chatbot.id), Chatbot.id, asked)


def personas(user: User, asked: int | None = None) -> Choices:
    """Whose conversations somebody may look for, by name: their own; an owner, everybody's."""
    known = Persona.select(Persona.id, Persona.name).order_by(Persona.name, Persona.id)
    known = known if access.sees_all(user) else known.where(Persona.user == user)
    return _offered(known, Persona.id, asked)


def _offered(query: Any, number: Any, asked: int | None) -> Choices:
    offered: Choices = list(query.limit(OFFERED).tuples())
    if asked and asked <= LARGEST_ID and asked not in dict(offered):
        offered += list(query.where(number == asked).tuples())
    return offered
