"""Who signs in to the panel, and on whose behalf chatbots are made."""

from __future__ import annotations

import peewee as pw

from service.models.base import Table, utc_now

OWNER, EDITOR, VIEWER = "owner", "editor", "viewer"


class User(Table):
    """`session_epoch` goes up when somebody signs out everywhere; `totp_secret` is encrypted; `totp_step` is the newest
    code that was used."""

    email = pw.CharField(max_length=254, unique=True)
    name = pw.CharField(max_length=120)
    password_hash = pw.CharField(max_length=255)
    is_active = pw.BooleanField(default=True)
    failed_sign_ins = pw.IntegerField(default=0)
    locked_until = pw.DateTimeField(null=True)
    created_at = pw.DateTimeField(default=utc_now)
    role = pw.CharField(max_length=10, default=OWNER, constraints=[pw.SQL("DEFAULT 'owner'")])
    session_epoch = pw.IntegerField(default=0, constraints=[pw.SQL("DEFAULT 0")])
    totp_secret = pw.CharField(max_length=255, null=True)
    totp_step = pw.BigIntegerField(null=True)
    signed_in_at = pw.DateTimeField(null=True)

    class Meta:
        table_name = "users"


class Creator(Table):
    name = pw.CharField(max_length=120)
    created_at = pw.DateTimeField(default=utc_now)

    class Meta:
        table_name = "creators"


class CreatorUser(Table):
    creator = pw.ForeignKeyField(Creator, backref="memberships", on_delete="CASCADE")
    user = pw.ForeignKeyField(User, backref="memberships", on_delete="CASCADE")
    created_at = pw.DateTimeField(default=utc_now)

    class Meta:
        table_name = "creator_users"
        indexes = ((("creator", "user"), True),)


class Invitation(Table):
    """A link that makes a user of whoever opens it, once; only its hash is kept."""

    email = pw.CharField(max_length=254)
    role = pw.CharField(max_length=10)
    creator = pw.ForeignKeyField(Creator, null=True, backref="invitations", on_delete="CASCADE")
    token_hash = pw.CharField(max_length=64, unique=True)
    invited_by = pw.ForeignKeyField(User, null=True, backref="invitations", on_delete="SET NULL")
    created_at = pw.DateTimeField(default=utc_now)
    expires_at = pw.DateTimeField()
    accepted_at = pw.DateTimeField(null=True)

    class Meta:
        table_name = "invitations"
