"""The tables, as the newest migration leaves them."""

from __future__ import annotations

from service.models.chatbots import SETTINGS, Chatbot, ChatbotVersion, Persona
from service.models.conversations import ROLES, Conversation, Message, ToolLog
from service.models.people import Creator, CreatorUser, User
from service.models.work import DEAD, DONE, LEASED, QUEUED, InboxItem, OutboxItem

TABLES = (
    User,
    Creator,
    CreatorUser,
    Chatbot,
    ChatbotVersion,
    Persona,
    Conversation,
    Message,
    ToolLog,
    InboxItem,
    OutboxItem,
)

__all__ = [
    "DEAD",
    "DONE",
    "LEASED",
    "QUEUED",
    "ROLES",
    "SETTINGS",
    "TABLES",
    "Chatbot",
    "ChatbotVersion",
    "Conversation",
    "Creator",
    "CreatorUser",
    "InboxItem",
    "Message",
    "OutboxItem",
    "Persona",
    "ToolLog",
    "User",
]
