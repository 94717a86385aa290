"""Conversations, and every message in one: what was said before gets one for each chatbot and user."""

from __future__ import annotations

import peewee as pw
from peewee_migrate import Migrator

LINK_OLD_MESSAGES = """
INSERT INTO conversations (chatbot_id, user_id, title, created_at, updated_at)
SELECT chatbot_id, user_id, 'Before conversations', min(created_at), max(created_at)
FROM messages GROUP BY chatbot_id, user_id;

UPDATE messages SET conversation_id = (
    SELECT conversations.id FROM conversations
    WHERE conversations.chatbot_id = messages.chatbot_id
      AND coalesce(conversations.user_id, 0) = coalesce(messages.user_id, 0)
);
"""


def migrate(migrator: Migrator, database: pw.Database, *, fake: bool = False) -> None:
    @migrator.create_model
    class Conversation(pw.Model):
        chatbot = pw.ForeignKeyField(migrator.orm["chatbots"], on_delete="RESTRICT")
        user = pw.ForeignKeyField(migrator.orm["users"], null=True, on_delete="SET NULL")
        title = pw.CharField(max_length=200)
        created_at = pw.DateTimeField()
        updated_at = pw.DateTimeField(index=True)

        class Meta:
            table_name = "conversations"

    migrator.add_fields("messages", conversation=pw.ForeignKeyField(Conversation, null=True, on_delete="CASCADE"))
    migrator.sql(LINK_OLD_MESSAGES)


def rollback(migrator: Migrator, database: pw.Database, *, fake: bool = False) -> None:
    migrator.remove_fields("messages", "conversation")
    migrator.remove_model("conversations")
