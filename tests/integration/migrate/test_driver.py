"""What is done while PostgreSQL lets wait for itself."""

from __future__ import annotations

import itertools
import socket
from collections.abc import Callable, Iterator

import psycopg2
import pytest
from psycopg2 import extensions

from service.migrate import driver
from service.url import DatabaseUrl
from tests.support.postgresql import connect


def until_done(end: Callable[[], object]) -> Iterator[int]:
    """Pieces of work, of which the hundredth ends what is waited for."""
    yield from range(1, 100)
    end()
    yield from itertools.count(100)


def test_work_is_done_while_a_server_connects() -> None:
    with socket.create_server(("127.0.0.1", 0)) as door:
        work = until_done(lambda: door.accept()[0].close())
        with pytest.raises(psycopg2.OperationalError, match="closed the connection"), driver.Meanwhile(work):
            psycopg2.connect(host="127.0.0.1", port=door.getsockname()[1], user="ann", dbname="x")
    assert next(work) > 100


def test_work_is_done_while_a_server_answers_and_no_longer(postgresql_url: DatabaseUrl) -> None:
    first, second = connect(postgresql_url), connect(postgresql_url)
    first.cursor().execute("SELECT pg_advisory_lock(7)")
    work = until_done(first.close)
    with driver.Meanwhile(work):
        second.cursor().execute("SELECT pg_advisory_lock(7)")
    done = next(work)
    assert done > 100
    second.cursor().execute("SELECT pg_sleep(0.01)")
    second.close()
    assert next(work) == done + 1


def test_work_that_is_done_soon_lets_the_server_take_its_time(postgresql_url: DatabaseUrl) -> None:
    work = iter(range(3))
    with driver.Meanwhile(work):
        connection = connect(postgresql_url)
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(0.1), 7")
            assert (cursor.fetchone() or ())[1] == 7
    assert list(work) == []
    connection.close()


def test_a_server_that_says_nothing_is_not_waited_for_any_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver, "_PATIENCE_MS", 10)
    work = iter(range(50))
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
