"""Whose database is this? What `status` says of one that we have not run yet, and the command that adopts it."""

from __future__ import annotations

from service.migrate.connection import Connection
from service.migrate.ledger import Ledger
from service.migrate.tables import HISTORY, JOURNAL

# The history tables of other tools.
_TOOLS = {
    "alembic_version": "Alembic",
    "_prisma_migrations": "Prisma Migrate",
    "django_migrations": "Django",
    "flyway_schema_history": "Flyway",
    "atlas_schema_revisions": "Atlas",
    "schema_migrations": "another migration tool",
}
_DETECT = "`migrate resolve --detect` finds which of these migrations it has already, and how to record them."


def advice(connection: Connection, ledger: Ledger) -> str:
    """One or two sentences for a database that was made by somebody else; empty for our own and for an empty one."""
    if ledger.is_ours or any(row.checksum for row in ledger.applied):  # the latter by an older release of ours
        return ""
    if ledger.applied:
        return "The history is peewee-migrate's own: the next `migrate deploy` adopts it as it is."
    tables = _tables(connection) - {HISTORY, JOURNAL}
    tool = next((name for table, name in _TOOLS.items() if table in tables), "")
    if tool:
        return f"{tool} has run on this database. {_DETECT}"
    return f"This database has tables, but no history of migrations. {_DETECT}" if tables else ""


def _tables(connection: Connection) -> set[str]:
    catalog = (
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        if connection.is_sqlite
        else "SELECT tablename FROM pg_tables WHERE schemaname = current_schema()"
    )
    return {str(row[0]) for row in connection.execute(catalog).fetchall()}
