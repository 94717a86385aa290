"""The service's full schema in an empty database."""

from __future__ import annotations

from service.database import open_database
from service.models import TABLES, Chatbot
from service.url import DatabaseUrl


def build_schema(url: DatabaseUrl) -> None:
    database = open_database(url)
    with database.bind_ctx(TABLES), database.connection_context():
        database.create_tables(TABLES)
        if not url.is_sqlite:
            Chatbot._schema.create_foreign_key(Chatbot.current_version)  # type: ignore[attr-defined]
