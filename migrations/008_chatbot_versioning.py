"""A chatbot's settings, and immutable versions of them that conversations hold on to."""

from __future__ import annotations

import peewee as pw
from peewee_migrate import Migrator

REFUSE_CHANGES_ON_POSTGRESQL = """
CREATE FUNCTION chatbot_versions_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a chatbot version is immutable: publish the next one';
END
$$;
CREATE TRIGGER chatbot_versions_immutable BEFORE UPDATE OR DELETE ON chatbot_versions
    FOR EACH ROW EXECUTE FUNCTION chatbot_versions_refuse_change();
"""

REFUSE_CHANGES_ON_SQLITE = """
CREATE TRIGGER chatbot_versions_immutable BEFORE UPDATE ON chatbot_versions BEGIN
    SELECT RAISE(ABORT, 'a chatbot version is immutable: publish the next one');
END;
CREATE TRIGGER chatbot_versions_undeletable BEFORE DELETE ON chatbot_versions BEGIN
    SELECT RAISE(ABORT, 'a chatbot version is immutable: publish the next one');
END;
"""


def settings() -> dict[str, pw.Field]:
    """The columns that a chatbot and each of its versions have in common."""
    return {
        "system_prompt": pw.TextField(default="", constraints=[pw.SQL("DEFAULT ''")]),
        "model_provider": pw.CharField(max_length=40, default="offline", constraints=[pw.SQL("DEFAULT 'offline'")]),
        "model_name": pw.CharField(max_length=120, default="", constraints=[pw.SQL("DEFAULT ''")]),
        "pinecone_namespace": pw.CharField(max_length=120, null=True),
        "vector_namespace": pw.CharField(max_length=120, null=True),
        "config": pw.JSONField(default=dict, constraints=[pw.SQL("DEFAULT '{}'")]),
        "rag_settings": pw.JSONField(default=dict, constraints=[pw.SQL("DEFAULT '{}'")]),
        "ingestion_run_ids": pw.JSONField(default=list, constraints=[pw.SQL("DEFAULT '[]'")]),
    }


def migrate(migrator: Migrator, database: pw.Database, *, fake: bool = False) -> None:
    class ChatbotVersion(pw.Model):
        chatbot = pw.ForeignKeyField(migrator.orm["chatbots"], on_delete="RESTRICT")
        number = pw.IntegerField()
        notes = pw.TextField(default="", constraints=[pw.SQL("DEFAULT ''")])
        created_by = pw.ForeignKeyField(migrator.orm["users"], null=True, on_delete="RESTRICT")
        created_at = pw.DateTimeField()

        class Meta:
            table_name = "chatbot_versions"
            indexes = ((("chatbot", "number"), True),)

    for name, field in settings().items():
        ChatbotVersion._meta.add_field(name, field)
    migrator.create_model(ChatbotVersion)

    current = pw.ForeignKeyField(ChatbotVersion, null=True, on_delete="RESTRICT", backref="+")
    migrator.add_fields("chatbots", **settings(), current_version=current)
    kept = pw.ForeignKeyField(ChatbotVersion, null=True, on_delete="RESTRICT", backref="+")
    migrator.add_fields("conversations", chatbot_version=kept)
    is_sqlite = isinstance(database, pw.SqliteDatabase)
    migrator.sql(REFUSE_CHANGES_ON_SQLITE if is_sqlite else REFUSE_CHANGES_ON_POSTGRESQL)


def rollback(migrator: Migrator, database: pw.Database, *, fake: bool = False) -> None:
    migrator.remove_fields("conversations", "chatbot_version")
    migrator.remove_fields("chatbots", *settings(), "current_version")
    migrator.remove_model("chatbot_versions")
    if not isinstance(database, pw.SqliteDatabase):
        migrator.sql("DROP FUNCTION chatbot_versions_refuse_change()")
