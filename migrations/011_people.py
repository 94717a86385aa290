"""What a person may do in the panel, and how they come into it."""

from __future__ import annotations

import peewee as pw
from peewee_migrate import Migrator


def migrate(migrator: Migrator, database: pw.Database, *, fake: bool = False) -> None:
    # Everybody could do everything until now, so whoever is there stays an owner.
    migrator.add_fields(
        "users",
        role=pw.CharField(max_length=10, default="owner", constraints=[pw.SQL("DEFAULT 'owner'")]),
        session_epoch=pw.IntegerField(default=0, constraints=[pw.SQL("DEFAULT 0")]),
        totp_secret=pw.CharField(max_length=64, null=True),
        totp_step=pw.BigIntegerField(null=True),
        signed_in_at=pw.DateTimeField(null=True),
    )

    @migrator.create_model
    class Invitation(pw.Model):
        email = pw.CharField(max_length=254)
        role = pw.CharField(max_length=10)
        creator = pw.ForeignKeyField(migrator.orm["creators"], null=True, on_delete="CASCADE")
        token_hash = pw.CharField(max_length=64, unique=True)
        invited_by = pw.ForeignKeyField(migrator.orm["users"], null=True, on_delete="SET NULL")
        created_at = pw.DateTimeField()
        expires_at = pw.DateTimeField()
        accepted_at = pw.DateTimeField(null=True)

        class Meta:
            table_name = "invitations"


def rollback(migrator: Migrator, database: pw.Database, *, fake: bool = False) -> None:
    migrator.remove_model("invitations")
    migrator.remove_fields("users", "role", "session_epoch", "totp_secret", "totp_step", "signed_in_at")
