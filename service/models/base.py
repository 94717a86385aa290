"""What every table shares: the database it is reached through, and how it tells the time."""

from __future__ import annotations

from datetime import UTC, datetime

import peewee as pw

from service.database import proxy


def utc_now() -> datetime:
    """The present moment in UTC, without a zone: every timestamp column holds UTC on both engines."""
    return datetime.now(UTC).replace(tzinfo=None)


class Table(pw.Model):
    id = pw.AutoField()

    class Meta:
        database = proxy
