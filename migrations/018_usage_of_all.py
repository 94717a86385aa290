"""Each day's sums over all chatbots, in a row without one: a page about a year reads one row for each day."""

from __future__ import annotations

import peewee as pw
from peewee_migrate import Migrator


def migrate(migrator: Migrator, database: pw.Database, *, fake: bool = False) -> None:
    migrator.drop_not_null("usage_days", "chatbot")
    migrator.add_index("usage_days", "day", name="usage_days_of_all", unique=True, where=pw.SQL("(chatbot_id IS NULL)"))
    # The worker counts all days anew when it does not know when it last did.
    migrator.sql("DELETE FROM duties WHERE name = 'usage'")


def rollback(migrator: Migrator, database: pw.Database, *, fake: bool = False) -> None:
    migrator.sql("DELETE FROM usage_days WHERE chatbot_id IS NULL")
    migrator.sql("DROP INDEX usage_days_of_all")
    migrator.add_not_null("usage_days", "chatbot")
