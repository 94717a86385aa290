"""Finding the one record that an address names, among those that the token's user may see."""

from __future__ import annotations

from typing import Any, TypeVar

import peewee as pw
from flask import g

from service.api.problems import Problem
from service.api.values import LARGEST, LARGEST_BIG
from service.chat import access, personas
from service.models import Chatbot, Conversation, Persona

Record = TypeVar("Record", bound=pw.Model)


def find_chatbot(number: int) -> Chatbot:
    return find(access.chatbots(g.user), Chatbot, number, "chatbot")


def find_conversation(number: int) -> Conversation:
    return find(access.conversations(g.user), Conversation, number, "conversation")


def find_persona(number: int) -> Persona:
    return find(personas.own(g.user), Persona, number, "persona")


def find(query: Any, model: type[Record], number: int, noun: str) -> Record:
    """The record, or 404: what somebody may not see is as good as not there."""
    key = model._meta.primary_key
    most = LARGEST_BIG if isinstance(key, pw.BigAutoField) else LARGEST
    found: Record | None = query.where(key == number).get_or_none() if number <= most else None
    if found is None:
        raise Problem(404, f"There is no {noun} {number}, or it is not yours to see.")
    return found
