from __future__ import annotations

from service.database import open_database
from tests.support.postgresql import Server, connect, drop_database


def test_a_database_without_an_encoding_keeps_every_letter(postgresql_server: Server) -> None:
    """PostgreSQL makes SQL_ASCII databases where the operating system has no locale."""
    administrator = connect(postgresql_server.url())
    administrator.autocommit = True
    administrator.cursor().execute("CREATE DATABASE plain TEMPLATE template0 ENCODING 'SQL_ASCII' LOCALE 'C'")
    administrator.close()
    database = open_database(postgresql_server.url("plain"))
    with database.connection_context():
        written = database.execute_sql("SELECT %s", ("“Grüße” ⚓",)).fetchone()  # type: ignore[no-untyped-call]
    drop_database(postgresql_server, postgresql_server.url("plain"))
    assert written == ("“Grüße” ⚓",)
