"""Connections that are kept for the next unit of work, and those that no longer can be."""

from __future__ import annotations

import threading
from contextlib import closing

import peewee as pw
import pytest

from service.database import bind, connection, proxy
from service.models import Creator
from service.url import DatabaseUrl
from tests.support.postgresql import Server, connect


@pytest.fixture
def url(postgresql_url: DatabaseUrl) -> DatabaseUrl:
    bind(postgresql_url)
    return postgresql_url


def backend() -> int:
    with connection():
        return number_of_backend()


def number_of_backend() -> int:
    number: int = pw.Select(columns=[pw.fn.pg_backend_pid()]).bind(proxy.obj).scalar()
    return number


def test_the_next_unit_of_work_gets_the_same_connection(url: DatabaseUrl) -> None:
    assert backend() == backend()


def test_two_at_once_never_share_one(url: DatabaseUrl) -> None:
    other: list[int] = []
    with connection():
        mine = number_of_backend()
        thread = threading.Thread(target=lambda: other.append(backend()))
        thread.start()
        thread.join()
    assert other
    assert other != [mine]


def test_a_connection_that_the_server_has_ended_is_not_handed_out(url: DatabaseUrl) -> None:
    dead = backend()
    with closing(connect(url)) as administrator, administrator.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [dead])
        assert cursor.fetchone() == (True,)
    assert backend() != dead


def test_work_goes_on_after_the_server_was_restarted(url: DatabaseUrl, postgresql_server: Server) -> None:
    before = backend()
    postgresql_server.stop()
    postgresql_server.start()
    assert backend() != before


@pytest.mark.parametrize("service_database", ["postgresql"], indirect=True)
def test_what_was_left_open_is_rolled_back_before_the_next_one(service_database: DatabaseUrl) -> None:
    with connection() as database:
        database.begin()
        Creator.create(name="Half")
    with connection():
        assert not Creator.select().exists()


def test_binding_another_database_lets_go_of_the_first(url: DatabaseUrl) -> None:
    number = backend()
    bind(url)
    with closing(connect(url)) as administrator, administrator.cursor() as cursor:
        cursor.execute("SELECT pid FROM pg_stat_activity WHERE pid = %s AND datname = current_database()", [number])
        assert cursor.fetchone() is None
