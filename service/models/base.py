"""What every table shares: the database it is reached through, and how it tells the time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import peewee as pw

from service.database import is_sqlite, proxy


def utc_now() -> datetime:
    """The present moment in UTC, without a zone: every timestamp column holds UTC on both engines."""
    return datetime.now(UTC).replace(tzinfo=None)


def shared_now(seconds: float = 0.0) -> Any:
    """The moment that is so many seconds from now, to be used within a query: by the database's clock on PostgreSQL,
    since processes on several machines share it; on SQLite, where they share the machine, by the machine's.

    The clock and not the transaction's beginning: an UPDATE that had to wait for a row compares it as of then."""
    if is_sqlite(proxy.obj):
        return utc_now() + timedelta(seconds=seconds)
    return pw.SQL("(clock_timestamp() AT TIME ZONE 'UTC' + %s * interval '1 second')", (seconds,))


def caseless(name: Any) -> Any:
    """To compare and sort names by, whatever their case; always by the database, on both sides. On SQLite, as on
    PostgreSQL with the collation C, that is known of A to Z alone: “Ärger” comes after “Zebra”, and is not “ärger”."""
    return pw.fn.LOWER(name)


class Table(pw.Model):
    id = pw.AutoField()

    class Meta:
        database = proxy
