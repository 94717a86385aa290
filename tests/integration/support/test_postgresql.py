from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import psycopg2
import pytest

from service.database import connection, open_database
from service.models import User
from service.url import DatabaseUrl
from tests.support.kept import KeptDatabase, with_schema, without_tables
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
    database = with_schema(server, template)
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


@pytest.fixture
def empty(_session_server: Server) -> Iterator[KeptDatabase]:
    database = without_tables(_session_server)
    yield database
    database.drop()


RIGHTS = """
SELECT nspowner, nspacl::text, has_schema_privilege('pg_monitor', oid, 'CREATE') FROM pg_namespace
WHERE nspname = 'public'
"""
MADE = """
CREATE TABLE a (id serial PRIMARY KEY); CREATE VIEW b AS SELECT 1; CREATE TYPE c AS ENUM ('x');
CREATE FUNCTION d() RETURNS int LANGUAGE sql AS 'SELECT 1'; CREATE MATERIALIZED VIEW e AS SELECT 1
"""


def test_an_empty_database_is_as_new_for_the_next_test(empty: KeptDatabase) -> None:
    first = empty.fresh()
    rights = ask(first, RIGHTS)
    ask(first, f"{MADE}; SELECT 1")
    assert empty.fresh() == first, "what stands in the usual schema needs no new database"
    assert ask(first, "SELECT relname FROM pg_class WHERE oid >= 16384") == []
    assert ask(first, "SELECT proname FROM pg_proc WHERE oid >= 16384") == []
    assert ask(first, RIGHTS) == rights


def test_nobody_of_an_earlier_test_is_left_in_it(empty: KeptDatabase) -> None:
    with closing(connect(empty.fresh())) as left:
        left.cursor().execute("CREATE TABLE a (id int)")
        ask(empty.fresh(), "CREATE TABLE a (id int); SELECT 1")
        with pytest.raises(psycopg2.Error):
            left.commit()


@pytest.mark.parametrize(
    "change",
    [
        "CREATE SCHEMA reporting",
        "SELECT lo_create(0)",
        "GRANT CREATE ON SCHEMA public TO pg_monitor",
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET jit = off', current_database()); END $$",
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I CONNECTION LIMIT 9', current_database()); END $$",
        "SELECT pg_terminate_backend(pid, 1000) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
        " AND datname = current_database()",
    ],
)
def test_an_empty_database_that_was_changed_besides_is_not_handed_on(empty: KeptDatabase, change: str) -> None:
    before = empty.fresh()
    ask(before, f"{change}; SELECT 1")
    assert empty.fresh() != before


def ask(url: DatabaseUrl, statement: str) -> list[tuple[object, ...]]:
    with closing(connect(url)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(statement)
            return list(cursor.fetchall())
