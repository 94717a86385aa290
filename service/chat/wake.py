"""A nudge to the workers that there is something to do. Only a nudge: they also look by themselves."""

from __future__ import annotations

import peewee as pw

from service.database import is_sqlite

INBOX, OUTBOX = "slipway_inbox", "slipway_outbox"


def wake(database: pw.Database, channel: str) -> None:
    """NOTIFY on PostgreSQL, delivered when the transaction commits; SQLite has nothing like it."""
    if not is_sqlite(database):
        pw.Select(columns=[pw.fn.pg_notify(channel, "")]).execute(database)
