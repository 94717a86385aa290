"""Chatbots, the immutable versions of their configuration, and the personas they may speak as."""

from __future__ import annotations

import peewee as pw

from service.models.base import Table, utc_now
from service.models.people import Creator, User


class Settings(Table):
    """The configuration that a chatbot carries and that each of its versions freezes."""

    system_prompt = pw.TextField(default="", constraints=[pw.SQL("DEFAULT ''")])
    model_provider = pw.CharField(max_length=40, default="offline", constraints=[pw.SQL("DEFAULT 'offline'")])
    model_name = pw.CharField(max_length=120, default="", constraints=[pw.SQL("DEFAULT ''")])
    pinecone_namespace = pw.CharField(max_length=120, null=True)
    vector_namespace = pw.CharField(max_length=120, null=True)
    config = pw.JSONField(default=dict, constraints=[pw.SQL("DEFAULT '{}'")])
    rag_settings = pw.JSONField(default=dict, constraints=[pw.SQL("DEFAULT '{}'")])
    ingestion_run_ids = pw.JSONField(default=list, constraints=[pw.SQL("DEFAULT '[]'")])


SETTINGS = tuple(field.name for field in Settings._meta.sorted_fields if field.name != "id")


class Chatbot(Settings):
    creator = pw.ForeignKeyField(Creator, backref="chatbots", on_delete="RESTRICT")
    creator_id: int
    title = pw.CharField(max_length=120)
    created_at = pw.DateTimeField(default=utc_now)
    current_version = pw.DeferredForeignKey("ChatbotVersion", null=True, on_delete="RESTRICT")

    class Meta:
        table_name = "chatbots"


class ChatbotVersion(Settings):
    """A snapshot of a chatbot's settings. Never changed: a trigger refuses UPDATE on both engines."""

    chatbot = pw.ForeignKeyField(Chatbot, backref="versions", on_delete="RESTRICT")
    number = pw.IntegerField()
    notes = pw.TextField(default="", constraints=[pw.SQL("DEFAULT ''")])
    created_by = pw.ForeignKeyField(User, null=True, backref="+", on_delete="RESTRICT")
    created_at = pw.DateTimeField(default=utc_now)

    class Meta:
        table_name = "chatbot_versions"
        indexes = ((("chatbot", "number"), True),)


class Persona(Table):
    user = pw.ForeignKeyField(User, backref="personas", on_delete="CASCADE")
    name = pw.CharField(max_length=120)
    instructions = pw.TextField(default="")
    is_active = pw.BooleanField(default=True, constraints=[pw.SQL("DEFAULT TRUE")])
    description = pw.TextField(default="", constraints=[pw.SQL("DEFAULT ''")])
    color = pw.CharField(max_length=7, default="#6c757d", constraints=[pw.SQL("DEFAULT '#6c757d'")])
    created_at = pw.DateTimeField(default=utc_now)

    class Meta:
        table_name = "personas"
