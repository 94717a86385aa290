"""Access from outside, and what was done with it: tokens, limits, and the record of every change."""

from __future__ import annotations

import peewee as pw

from service.models.base import Table, utc_now
from service.models.people import User


class ApiToken(Table):
    """A key to the HTTP API. Only its hash is kept; `prefix` is shown, so that a person can tell it from others."""

    user = pw.ForeignKeyField(User, backref="tokens", on_delete="CASCADE")
    name = pw.CharField(max_length=120)
    prefix = pw.CharField(max_length=16)
    token_hash = pw.CharField(max_length=64, unique=True)
    scopes = pw.JSONField(default=list)
    created_at = pw.DateTimeField(default=utc_now)
    last_used_at = pw.DateTimeField(null=True)
    expires_at = pw.DateTimeField(null=True)
    revoked_at = pw.DateTimeField(null=True)

    class Meta:
        table_name = "api_tokens"


class IdempotencyKey(Table):
    """The answer to a request that may be sent again; without a status, the first one is still being worked on."""

    id = pw.BigAutoField()
    token = pw.ForeignKeyField(ApiToken, backref="+", on_delete="CASCADE")
    key = pw.CharField(max_length=200)
    fingerprint = pw.CharField(max_length=64)
    status = pw.IntegerField(null=True)
    response = pw.TextField(null=True)
    created_at = pw.DateTimeField(default=utc_now, index=True)

    class Meta:
        table_name = "idempotency_keys"
        indexes = ((("token", "key"), True),)


class RateLimit(Table):
    """How often something named was done in the window of time that began at `window` (seconds since 1970)."""

    id = pw.BigAutoField()
    name = pw.CharField(max_length=200)
    window = pw.BigIntegerField(index=True)
    count = pw.IntegerField(default=0)

    class Meta:
        table_name = "rate_limits"
        indexes = ((("name", "window"), True),)


class AuditEvent(Table):
    """A change that a person made. `actor` is their email at that time, which outlives their account."""

    id = pw.BigAutoField()
    user = pw.ForeignKeyField(User, null=True, backref="+", on_delete="SET NULL")
    actor = pw.CharField(max_length=254)
    action = pw.CharField(max_length=60)
    subject = pw.CharField(max_length=200)
    details = pw.JSONField(default=dict)
    address = pw.CharField(max_length=45, null=True)
    created_at = pw.DateTimeField(default=utc_now, index=True)

    class Meta:
        table_name = "audit_log"


AuditEvent.add_index(AuditEvent.actor, AuditEvent.created_at, name="audit_log_by_actor")
AuditEvent.add_index(AuditEvent.action, AuditEvent.created_at, name="audit_log_by_action")
