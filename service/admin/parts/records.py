"""Finding the one record that an address names."""

from __future__ import annotations

from typing import TypeVar

import peewee as pw
from flask import abort, g

from service.chat import access
from service.models import Chatbot, Conversation
from service.models.statement import Statement, loaded

# What an integer column of PostgreSQL can hold.
LARGEST_ID = 2**31 - 1
Record = TypeVar("Record", bound=pw.Model)
_CONVERSATION = Statement(f"SELECT * FROM conversations WHERE id = :id AND {access.seen_of('chatbot_id')}")


def find(model: type[Record], number: int) -> Record:
    """The record, or the 404 page. A number beyond the column is a 404 too, not an error of the database."""
    found = model.get_or_none(model._meta.primary_key == number) if number <= LARGEST_ID else None
    if found is None:
        abort(404)
    return found


def find_chatbot(number: int) -> Chatbot:
    """One that the user may see; what they may not see is as good as not there."""
    found: Chatbot = find_among(access.chatbots(g.user), Chatbot, number)
    return found


def find_conversation(number: int) -> Conversation:
    return seen_conversation(number) or abort(404)


def seen_conversation(number: int) -> Conversation | None:
    """Asked again and again by whoever follows one."""
    row = _CONVERSATION.named(id=number, **access.who(g.user)) if number <= LARGEST_ID else None
    return loaded(Conversation, row) if row else None


def find_among(query: pw.ModelSelect[Record], model: type[Record], number: int) -> Record:
    """The record, if it is one of the query's, or the 404 page."""
    found = query.where(model._meta.primary_key == number).get_or_none() if number <= LARGEST_ID else None
    if found is None:
        abort(404)
    return found
