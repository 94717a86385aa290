"""How a loop that has nothing to do waits: briefly, or until it is told that there is something."""

from __future__ import annotations

import select
import threading
from typing import Protocol

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import connection as Connection
from psycopg2.extensions import make_dsn

from service.database import PATIENCE
from service.url import DatabaseUrl

SHORT, LONG = 0.2, 1.0


class Waker(Protocol):
    """`is_told`: it hears of whatever is stored, also while nobody waits, unless the notification gets lost."""

    is_told: bool

    def wait(self, stop: threading.Event) -> None:
        """Return when it is worth looking again."""
        ...


def waker(url: DatabaseUrl, channel: str) -> Waker:
    return Polling() if url.is_sqlite else Listening(url, channel)


class Polling:
    is_told = False

    def wait(self, stop: threading.Event) -> None:
        stop.wait(SHORT)


class Listening:
    """LISTEN on a connection of its own. A notification may get lost, with the connection or in a pooler: so it
    never waits long without one."""

    is_told = True

    def __init__(self, url: DatabaseUrl, channel: str) -> None:
        self._dsn = make_dsn(**{"application_name": "slipway-bot-listen"} | PATIENCE | url.libpq())
        self._channel = channel
        self._connection: Connection | None = None

    def wait(self, stop: threading.Event) -> None:
        try:
            if self._connection is None:
                self._connection = self._listen()
                return  # what was stored before LISTEN made no sound: look once more
            select.select([self._connection], [], [], LONG)
            self._connection.poll()
            self._connection.notifies.clear()
        except (psycopg2.Error, OSError):
            self._hang_up()
            stop.wait(SHORT)

    def _listen(self) -> Connection:
        connection = psycopg2.connect(self._dsn)
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(sql.SQL("LISTEN {}").format(sql.Identifier(self._channel)))
        return connection

    def _hang_up(self) -> None:
        connection, self._connection = self._connection, None
        if connection:
            connection.close()
