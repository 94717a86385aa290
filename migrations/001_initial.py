"""Who uses the service, whose chatbots they are, and the voices these may speak in."""

from __future__ import annotations

import peewee as pw
from peewee_migrate import Migrator


def migrate(migrator: Migrator, database: pw.Database, *, fake: bool = False) -> None:
    @migrator.create_model
    class User(pw.Model):
        email = pw.CharField(max_length=254, unique=True)
        name = pw.CharField(max_length=120)
        password_hash = pw.CharField(max_length=255)
        is_active = pw.BooleanField(default=True)
        failed_sign_ins = pw.IntegerField(default=0)
        locked_until = pw.DateTimeField(null=True)
        created_at = pw.DateTimeField()

        class Meta:
            table_name = "users"

    @migrator.create_model
    class Creator(pw.Model):
        name = pw.CharField(max_length=120)
        created_at = pw.DateTimeField()

        class Meta:
            table_name = "creators"

    @migrator.create_model
    class CreatorUser(pw.Model):
        creator = pw.ForeignKeyField(Creator, on_delete="CASCADE")
        user = pw.ForeignKeyField(User, on_delete="CASCADE")
        created_at = pw.DateTimeField()

        class Meta:
            table_name = "creator_users"
            indexes = ((("creator", "user"), True),)

    @migrator.create_model
    class Chatbot(pw.Model):
        creator = pw.ForeignKeyField(Creator, on_delete="RESTRICT")
        title = pw.CharField(max_length=120)
        created_at = pw.DateTimeField()

        class Meta:
            table_name = "chatbots"

    @migrator.create_model
    class Persona(pw.Model):
        user = pw.ForeignKeyField(User, on_delete="CASCADE")
        name = pw.CharField(max_length=120)
        instructions = pw.TextField(default="")
        created_at = pw.DateTimeField()

        class Meta:
            table_name = "personas"


def rollback(migrator: Migrator, database: pw.Database, *, fake: bool = False) -> None:
    for table in ("personas", "chatbots", "creator_users", "creators", "users"):
        migrator.remove_model(table)
