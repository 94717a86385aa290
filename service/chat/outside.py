"""What an answer may reach beyond the database: one for each process, made when it starts and closed when it stops."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from service.chat.keyring import Keyring
from service.chat.loop import Loop


class Outside:
    """Costs nothing until something is reached."""

    def __init__(self, keys: Mapping[str, str] | None = None, allowed: Iterable[str] = ()) -> None:
        self.loop = Loop()
        self.keyring = Keyring(keys, allowed)

    def close(self) -> None:
        self.loop.close()
