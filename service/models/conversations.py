"""What was said: conversations, their messages, and the tools that were called to answer."""

from __future__ import annotations

import peewee as pw

from service.models.base import Table, utc_now
from service.models.chatbots import Chatbot, ChatbotVersion, Persona
from service.models.people import User

ROLES = ("user", "assistant", "twin", "system", "tool")


class Conversation(Table):
    """One thread of talk. `channel` and `thread` say where it takes place: `panel` and a user's id, `telegram`
    and `chat` or `chat/topic`. Together with the chatbot they name it, so that the next message finds it.
    `persona` is the one that was chosen for it."""

    chatbot = pw.ForeignKeyField(Chatbot, backref="conversations", on_delete="RESTRICT")
    chatbot_version = pw.ForeignKeyField(ChatbotVersion, null=True, backref="conversations", on_delete="RESTRICT")
    user = pw.ForeignKeyField(User, null=True, backref="conversations", on_delete="SET NULL")
    title = pw.CharField(max_length=200)
    channel = pw.CharField(max_length=20, default="panel", constraints=[pw.SQL("DEFAULT 'panel'")])
    thread = pw.CharField(max_length=120, null=True)
    metadata = pw.JSONField(default=dict, constraints=[pw.SQL("DEFAULT '{}'")])
    created_at = pw.DateTimeField(default=utc_now)
    updated_at = pw.DateTimeField(default=utc_now, index=True)
    persona = pw.ForeignKeyField(Persona, null=True, backref="+", on_delete="SET NULL")

    class Meta:
        table_name = "conversations"
        indexes = ((("chatbot", "channel", "thread"), True),)


class Message(Table):
    """What was said. An answer also says how long the person waited for it, what it cost in tokens, and why it is an
    apology, if it is one."""

    id = pw.BigAutoField()
    chatbot = pw.ForeignKeyField(Chatbot, backref="messages", on_delete="RESTRICT")
    conversation = pw.ForeignKeyField(Conversation, null=True, backref="messages", on_delete="CASCADE", index=False)
    conversation_id: int | None
    user = pw.ForeignKeyField(User, null=True, backref="messages", on_delete="SET NULL")
    persona = pw.ForeignKeyField(Persona, null=True, backref="messages", on_delete="SET NULL", index=False)
    role = pw.CharField(max_length=10)
    content = pw.TextField()
    reply_to = pw.ForeignKeyField("self", null=True, backref="replies", on_delete="SET NULL")
    metadata = pw.JSONField(default=dict, constraints=[pw.SQL("DEFAULT '{}'")])
    created_at = pw.DateTimeField(default=utc_now)
    duration_ms = pw.IntegerField(null=True)
    input_tokens = pw.IntegerField(null=True)
    output_tokens = pw.IntegerField(null=True)
    error = pw.TextField(null=True)

    class Meta:
        table_name = "messages"
        indexes = (
            (("chatbot", "created_at"), False),
            (("conversation", "id"), False),
            (("persona", "conversation"), False),
        )
        constraints = [
            pw.SQL("CONSTRAINT messages_role_known CHECK (role IN ('user', 'assistant', 'twin', 'system', 'tool'))")
        ]


Message.add_index(Message.created_at, name="messages_by_time")
Message.add_index(Message.conversation, name="messages_failed", where=Message.error.is_null(False))


class ToolLog(Table):
    id = pw.BigAutoField()
    session = pw.ForeignKeyField(Conversation, null=True, backref="tool_logs", on_delete="CASCADE")
    message = pw.ForeignKeyField(Message, null=True, backref="tool_logs", on_delete="SET NULL")
    server = pw.CharField(max_length=120)
    tool = pw.CharField(max_length=120)
    arguments = pw.JSONField(default=dict)
    result = pw.TextField(null=True)
    error = pw.TextField(null=True)
    duration_ms = pw.IntegerField(null=True)
    created_at = pw.DateTimeField(default=utc_now, index=True)

    class Meta:
        table_name = "tool_logs"
