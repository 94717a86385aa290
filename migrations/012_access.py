"""Keys to the HTTP API, limits on how often something may be done, and a record of every change."""

from __future__ import annotations

import peewee as pw
from peewee_migrate import Migrator


def migrate(migrator: Migrator, database: pw.Database, *, fake: bool = False) -> None:
    @migrator.create_model
    class ApiToken(pw.Model):
        user = pw.ForeignKeyField(migrator.orm["users"], on_delete="CASCADE")
        name = pw.CharField(max_length=120)
        prefix = pw.CharField(max_length=16)
        token_hash = pw.CharField(max_length=64, unique=True)
        scopes = pw.JSONField(default=list)
        created_at = pw.DateTimeField()
        last_used_at = pw.DateTimeField(null=True)
        expires_at = pw.DateTimeField(null=True)
        revoked_at = pw.DateTimeField(null=True)

        class Meta:
            table_name = "api_tokens"

    @migrator.create_model
    class IdempotencyKey(pw.Model):
        id = pw.BigAutoField()
        token = pw.ForeignKeyField(ApiToken, on_delete="CASCADE", backref="+")
        key = pw.CharField(max_length=200)
        fingerprint = pw.CharField(max_length=64)
        status = pw.IntegerField(null=True)
        response = pw.TextField(null=True)
        created_at = pw.DateTimeField(index=True)

        class Meta:
            table_name = "idempotency_keys"
            indexes = ((("token", "key"), True),)

    @migrator.create_model
    class RateLimit(pw.Model):
        id = pw.BigAutoField()
        name = pw.CharField(max_length=200)
        window = pw.BigIntegerField(index=True)
        count = pw.IntegerField(default=0)

        class Meta:
            table_name = "rate_limits"
            indexes = ((("name", "window"), True),)

    @migrator.create_model
    class AuditEvent(pw.Model):
        id = pw.BigAutoField()
        user = pw.ForeignKeyField(migrator.orm["users"], null=True, on_delete="SET NULL", backref="+")
        actor = pw.CharField(max_length=254)
        action = pw.CharField(max_length=60)
        subject = pw.CharField(max_length=200)
        details = pw.JSONField(default=dict)
        address = pw.CharField(max_length=45, null=True)
        created_at = pw.DateTimeField(index=True)

        class Meta:
            table_name = "audit_log"


def rollback(migrator: Migrator, database: pw.Database, *, fake: bool = False) -> None:
    for table in ("audit_log", "rate_limits", "idempotency_keys", "api_tokens"):
        migrator.remove_model(table)
