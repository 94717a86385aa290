"""Who signs in to the panel, and on whose behalf chatbots are made."""

from __future__ import annotations

import peewee as pw

from service.models.base import Table, utc_now


class User(Table):
    email = pw.CharField(max_length=254, unique=True)
    name = pw.CharField(max_length=120)
    password_hash = pw.CharField(max_length=255)
    is_active = pw.BooleanField(default=True)
    failed_sign_ins = pw.IntegerField(default=0)
    locked_until = pw.DateTimeField(null=True)
    created_at = pw.DateTimeField(default=utc_now)

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
