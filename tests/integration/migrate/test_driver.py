"""What is done while PostgreSQL lets wait for itself."""

from __future__ import annotations

import math
import socket
from collections.abc import Iterator

import psycopg2
import pytest
from psycopg2 import extensions

from service.migrate import driver
from service.url import DatabaseUrl
from tests.support.postgresql import connect


def counted(pieces: float = math.inf) -> Iterator[int]:
    """So many pieces of work, counted from 1."""
    done = 0
    while done < pieces:
        done += 1
        yield done


def test_work_is_done_while_a_server_connects_and_answers(postgresql_url: DatabaseUrl) -> None:
    work = counted()
    with driver.Meanwhile(work):
        connection = connect(postgresql_url)
        while_connecting = next(work)
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(0.01)")
        while_asking = next(work)
    assert 1 < while_connecting < while_asking - 1
    connection.close()
    connect(postgresql_url).close()
    assert next(work) == while_asking + 1


def test_work_that_is_done_soon_lets_the_server_take_its_time(postgresql_url: DatabaseUrl) -> None:
    work = counted(3)
    with driver.Meanwhile(work):
        connection = connect(postgresql_url)
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(0.1), 7")
            assert (cursor.fetchone() or ())[1] == 7
    assert list(work) == []
    connection.close()


def test_a_server_that_says_nothing_is_not_waited_for_any_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver, "_PATIENCE_MS", 10)
    work = counted(50)
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(TimeoutError), driver.Meanwhile(work):
        psycopg2.connect(host="127.0.0.1", port=silent.getsockname()[1], user="ann", dbname="x")
    assert list(work) == []
    assert extensions.get_wait_callback() is None


def test_the_connection_is_then_one_like_any_other(postgresql_url: DatabaseUrl) -> None:
    with driver.Meanwhile(iter(())):
        connection = connect(postgresql_url)
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT length(%s)", ["x" * 10_000_000])
        assert cursor.fetchone() == (10_000_000,)
    connection.close()
