"""The personas of a person: as whom a chatbot may speak."""

from __future__ import annotations

from typing import Any

import peewee as pw

from service.database import is_sqlite, proxy
from service.models import Conversation, Message, Persona, User
from service.models.base import caseless


def own(user: User) -> pw.ModelSelect[Persona]:
    query: pw.ModelSelect[Persona] = Persona.select().where(Persona.user == user)
    return query


def is_taken(user: User, name: str, *, besides: Persona | None = None) -> bool:
    """Whether another persona of the user has that name: two of one name could not be told apart where one is chosen.
    Belongs into the transaction that gives the name: until it ends, nobody else gives one for this user."""
    _hold(User.select().where(User.id == user.id), "FOR NO KEY UPDATE")
    namesakes = own(user).where(caseless(Persona.name) == caseless(name))
    if besides:
        namesakes = namesakes.where(Persona.id != besides.id)
    return bool(namesakes.exists())


def has_spoken(persona: Persona) -> bool:
    """Whether anything was said as the persona, or it was chosen for a talk. Belongs into the transaction that deletes
    it: until that ends, nothing more is said as it."""
    _hold(Persona.select().where(Persona.id == persona.id), "FOR UPDATE")
    spoke = Message.select().where(Message.persona == persona)
    chosen = Conversation.select().where(Conversation.persona == persona)
    return bool(spoke.exists() or chosen.exists())


def _hold(row: Any, how: str) -> None:
    """On SQLite, the transaction holds everything already."""
    if not is_sqlite(proxy.obj):
        row.for_update(how).execute()
