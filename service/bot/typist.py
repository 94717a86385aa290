"""Telegram's "typing…", for as long as an answer is being written."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from telegram import Bot
from telegram.constants import ChatAction
from telegram.error import RetryAfter

from service.bot.lease import Lease
from service.chat.asides import is_aside
from service.faults import headline
from service.models import InboxItem
from service.telegram.client import CHANNEL
from service.telegram.sender import pause

log = logging.getLogger(__name__)

# Telegram shows it for 5 s. What is answered within the first moment needs none, and it would outlast the answer.
RENEWED, FIRST, GLANCE = 4.5, 0.4, 0.2


class Typist:
    """Looks at what the worker has in hand, in a thread of its own: nothing that goes wrong here reaches an answer."""

    def __init__(self, bot: Bot, in_hand: Callable[[], Iterable[Lease[Any] | None]], stop: threading.Event) -> None:
        self._bot, self._in_hand, self._stop = bot, in_hand, stop
        self._due: dict[int, float] = {}

    def run(self) -> None:
        with asyncio.Runner() as runner:
            while not self._stop.wait(GLANCE):
                for item in self._late(time.monotonic()):
                    self._due[item.id] = time.monotonic() + runner.run(self._show(item.metadata))

    def _late(self, now: float) -> list[InboxItem]:
        """Those in hand whose writers must be seen to type again."""
        items = [lease.item for lease in self._in_hand() if lease is not None and _shows(lease)]
        self._due = {item.id: self._due.get(item.id, now + FIRST) for item in items}
        return [item for item in items if self._due[item.id] <= now]

    async def _show(self, address: Mapping[str, Any]) -> float:
        """Returns the seconds until the next time."""
        try:
            topic = address.get("message_thread_id")
            await self._bot.send_chat_action(address["chat_id"], ChatAction.TYPING, message_thread_id=topic)
        except RetryAfter as error:
            return max(pause(error), RENEWED)
        except Exception as error:
            log.debug("Telegram: typing was not shown: %s", headline(error))
        return RENEWED


def _shows(lease: Lease[Any]) -> bool:
    return isinstance(lease.item, InboxItem) and lease.item.channel == CHANNEL and not is_aside(lease.item)
