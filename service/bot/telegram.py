"""Telegram as the worker sees it: long polling into the inbox, and the outbox's way out."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, TypeVar

from telegram import Bot, Update
from telegram.error import Conflict, InvalidToken, RetryAfter

from service.bot.consumer import GiveUp, Later, Outage
from service.models import Chatbot
from service.telegram import updates
from service.telegram.client import bot_number
from service.telegram.sender import Flooded, Refused, TelegramSender, pause

log = logging.getLogger(__name__)

LONG_POLL, GLANCE = 25, 0.25
T = TypeVar("T")


class Poller:
    """Takes updates from Telegram. An update is stored and committed, and only the next question moves the offset:
    a crash in between brings the update again, and the inbox knows it by its number."""

    def __init__(self, bot: Bot, chatbot: int | None, stop: threading.Event) -> None:
        self._bot, self._chatbot, self._stop = bot, chatbot, stop
        self._number = bot_number(bot.token)
        self._offset: int | None = None
        self._outage = Outage("Telegram", stop)
        self._is_waiting = False

    def run(self) -> None:
        asyncio.run(self._run())

    async def _run(self) -> None:
        while not self._stop.is_set():
            try:
                await self.round()
                self._outage.end()
            except Exception as error:
                self._outage.wait(error, hint=_hint(error), at_least=_asked_delay(error))

    async def round(self) -> None:
        """Ask once, and store all that came."""
        chatbot = self._served()
        if chatbot is None:
            self._stop.wait(1.0)
            return
        asked = self._bot.get_updates(offset=self._offset, timeout=LONG_POLL, allowed_updates=[Update.MESSAGE])
        for update in await self._unless_stopped(asked) or ():
            outcome = updates.store(chatbot, update, self._number)
            log.info("Telegram: update %d %s", update.update_id, outcome)
            self._offset = update.update_id + 1

    def _served(self) -> Chatbot | None:
        chatbot = updates.served(self._chatbot)
        if chatbot is None and not self._is_waiting:
            name = "no chatbot yet" if self._chatbot is None else f"no chatbot {self._chatbot} (TELEGRAM_CHATBOT)"
            log.warning("Telegram: there is %s; messages wait at Telegram until it is made in the panel.", name)
        self._is_waiting = chatbot is None
        return chatbot

    async def _unless_stopped(self, asked: Coroutine[Any, Any, T]) -> T | None:
        """A long poll would outlast the time that a stopping worker has."""
        task = asyncio.ensure_future(asked)
        while not task.done():
            await asyncio.wait([task], timeout=GLANCE)
            if self._stop.is_set():
                task.cancel()
                return None
        return task.result()


def _hint(error: Exception) -> str:
    if isinstance(error, InvalidToken):
        return "Telegram refuses TELEGRAM_BOT_TOKEN, give the worker the token that @BotFather shows"
    if isinstance(error, Conflict):
        return "somebody else polls with this TELEGRAM_BOT_TOKEN or a webhook is set, only one of them may"
    return ""


def _asked_delay(error: Exception) -> float:
    return pause(error) if isinstance(error, RetryAfter) else 0.0


class Delivery:
    """The sender in the words of the outbox."""

    def __init__(self, bot: Bot) -> None:
        self._sender = TelegramSender(bot)

    def send(self, text: str, address: Mapping[str, Any], sent: int, keep: Callable[[int], None]) -> None:
        try:
            self._sender.send(text, address, sent, keep)
        except Flooded as error:
            raise Later(error.seconds) from error
        except Refused as error:
            raise GiveUp(str(error)) from error
