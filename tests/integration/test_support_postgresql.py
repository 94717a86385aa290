from __future__ import annotations

import psycopg2
import pytest

from service.database import connection, open_database
from service.models import User
from service.url import DatabaseUrl
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
