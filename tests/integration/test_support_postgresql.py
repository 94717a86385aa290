from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import psycopg2
import pytest

from service.database import connection, open_database
from service.models import User
from service.url import DatabaseUrl
from tests.support.kept import KeptDatabase
from tests.support.postgresql import Server, connect


def test_an_empty_database_has_no_tables(database_url: DatabaseUrl) -> None:
    database = open_database(database_url)
    with database.connection_context():
        assert database.get_tables() == []


@pytest.mark.parametrize("attempt", [1, 2])
def test_each_test_has_its_own_copy_of_the_schema(service_database: DatabaseUrl, attempt: int) -> None:
    with connection():
        assert not User.select().exists()
        User.create(email="a@example.com", name="A", password_hash="x")


def test_a_restarted_server_keeps_its_port_and_its_data(postgresql_server: Server, postgresql_url: DatabaseUrl) -> None:
    before = postgresql_server.url()
    postgresql_server.stop()
    with pytest.raises(psycopg2.OperationalError):
        connect(postgresql_url)
    postgresql_server.start()
    assert postgresql_server.url() == before
    connect(postgresql_url).close()


@pytest.fixture
def kept(request: pytest.FixtureRequest) -> Iterator[KeptDatabase]:
    server, template = map(request.getfixturevalue, ("_session_server", "_postgresql_template"))
    database = KeptDatabase(server, template)
    yield database
    database.drop()


def test_a_kept_database_is_as_new_for_the_next_test(kept: KeptDatabase) -> None:
    first = kept.fresh()
    for name in ("Ada", "Bob"):
        ask(first, f"INSERT INTO creators (name, created_at) VALUES ('{name}', now()) RETURNING id")
    assert kept.fresh() == first, "rows alone need no new copy"
    assert ask(first, "SELECT count(*) FROM creators") == [(0,)]
    assert ask(first, "INSERT INTO creators (name, created_at) VALUES ('Eve', now()) RETURNING id") == [(1,)]


@pytest.mark.parametrize(
    "change", ["ALTER TABLE creators ADD COLUMN colour text", "DELETE FROM migratehistory WHERE id = 1"]
)
def test_a_kept_database_that_was_changed_is_not_handed_on(kept: KeptDatabase, change: str) -> None:
    before = kept.fresh()
    ask(before, f"{change}; SELECT 1")
    assert kept.fresh() != before


def ask(url: DatabaseUrl, statement: str) -> list[tuple[object, ...]]:
    with closing(connect(url)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(statement)
            return list(cursor.fetchall())
