"""The tables, as the newest migration leaves them."""

from __future__ import annotations

from service.models.access import ApiToken, AuditEvent, IdempotencyKey, RateLimit
from service.models.chatbots import SETTINGS, Chatbot, ChatbotVersion, Persona
from service.models.conversations import ROLES, Conversation, Message, ToolLog
from service.models.people import EDITOR, OWNER, VIEWER, Creator, CreatorUser, Invitation, User
from service.models.usage import UsageDay
from service.models.work import DEAD, DONE, LEASED, QUEUED, Duty, FollowedThread, InboxItem, OutboxItem

TABLES = (
    User,
    Creator,
    CreatorUser,
    Invitation,
    Chatbot,
    ChatbotVersion,
    Persona,
    Conversation,
    Message,
    ToolLog,
    InboxItem,
    OutboxItem,
    FollowedThread,
    Duty,
    UsageDay,
    ApiToken,
    IdempotencyKey,
    RateLimit,
    AuditEvent,
)

__all__ = [
    "DEAD",
    "DONE",
    "EDITOR",
    "LEASED",
    "OWNER",
    "QUEUED",
    "ROLES",
    "SETTINGS",
    "TABLES",
    "VIEWER",
    "ApiToken",
    "AuditEvent",
    "Chatbot",
    "ChatbotVersion",
    "Conversation",
    "Creator",
    "CreatorUser",
    "Duty",
    "FollowedThread",
    "IdempotencyKey",
    "InboxItem",
    "Invitation",
    "Message",
    "OutboxItem",
    "Persona",
    "RateLimit",
    "ToolLog",
    "UsageDay",
    "User",
]
