"""What an answer may reach beyond the database: one for each process, made when it starts and closed when it stops."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property

import httpx

from service.chat.keyring import Keyring
from service.chat.loop import Loop
from service.chat.tools.servers import Defined
from service.chat.tools.sessions import Sessions

CONNECT, SILENCE = 10.0, 60.0  # seconds without a connection, and without a byte


class Outside:
    """Costs nothing until something is reached. `servers` are the operator's MCP servers."""

    def __init__(
        self,
        keys: Mapping[str, str] | None = None,
        allowed: Iterable[str] = (),
        servers: Mapping[str, Defined] | None = None,
    ) -> None:
        self.loop = Loop()
        self.keyring = Keyring(keys, allowed)
        self.servers = dict(servers or {})
        self.sessions = Sessions()
        self.loop.before_closing(self.sessions.close)

    @cached_property
    def http(self) -> httpx.AsyncClient:
        """For use on the loop only, where it is made with the first request: its certificates take some 30 ms to load.
        It heeds the environment's proxies and follows no redirect: a key goes to the address that was named for it."""
        client = httpx.AsyncClient(timeout=httpx.Timeout(SILENCE, connect=CONNECT))
        self.loop.before_closing(client.aclose)
        return client

    def close(self) -> None:
        self.loop.close()
