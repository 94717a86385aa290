"""What somebody may do, and whose chatbots they may see: an owner all of them, everybody else those of the creators
they belong to."""

from __future__ import annotations

from typing import Any

import peewee as pw

from service.models import EDITOR, OWNER, VIEWER, Chatbot, Conversation, Creator, CreatorUser, ToolLog, User

_RANKS = {VIEWER: 1, EDITOR: 2, OWNER: 3}


def has_role(user: User, role: str) -> bool:
    """Whether the user has this role or a higher one; an unknown role may nothing."""
    return _RANKS.get(user.role, 0) >= _RANKS[role]


def sees_all(user: User) -> bool:
    return bool(user.role == OWNER)


def chatbots(user: User) -> Any:
    """The query of the chatbots that the user may see, to be narrowed and ordered by the caller."""
    return seen(user, Chatbot.select())


def creators(user: User) -> Any:
    """The same for the creators on whose behalf the user may make chatbots."""
    query = Creator.select()
    return query if sees_all(user) else query.where(Creator.id.in_(_theirs(user)))


def conversations(user: User) -> Any:
    """The same for the conversations with them; joined with Chatbot already."""
    return seen(user, Conversation.select(Conversation, Chatbot).join(Chatbot))


def tool_logs(user: User) -> Any:
    """And for the tool calls in them; joined with both. One that belongs to no conversation is for an owner's eyes."""
    query = ToolLog.select(ToolLog, Conversation, Chatbot).join(Conversation, pw.JOIN.LEFT_OUTER)
    return seen(user, query.join(Chatbot, pw.JOIN.LEFT_OUTER))


def seen(user: User, query: Any) -> Any:
    """What a query that is joined with Chatbot leaves for the user."""
    return query if sees_all(user) else query.where(Chatbot.creator.in_(_theirs(user)))


def seen_of(chatbot: str) -> str:
    """The same for a Statement, as the condition on what gives a chatbot's number; its values are those of `who`.
    PostgreSQL leaves it away for whoever sees all, and does not even look for the number."""
    return f"""(:sees_all OR {chatbot} IN (
        SELECT c.id FROM chatbots c JOIN creator_users m ON m.creator_id = c.creator_id WHERE m.user_id = :user))"""


def who(user: User) -> dict[str, Any]:
    return {"sees_all": sees_all(user), "user": user.id}


def _theirs(user: User) -> Any:
    return CreatorUser.select(CreatorUser.creator).where(CreatorUser.user == user)
