"""Long polling: updates are fetched from Telegram."""

from __future__ import annotations

import logging
import threading

from telegram import Bot

from service.bot.receiver import Until
from service.models import Chatbot
from service.telegram import updates
from service.telegram.client import Me
from service.telegram.reading import WANTED, read

log = logging.getLogger(__name__)

LONG_POLL = 25


class Polling:
    """An update is stored and committed, and only the next question moves the offset: a crash in between brings the
    update again, and the inbox knows it by its number."""

    def __init__(self, bot: Bot, chatbot: int | None, groups: str, stop: threading.Event) -> None:
        self._bot, self._chatbot, self._groups, self._stop = bot, chatbot, groups, stop
        self._offset: int | None = None
        self._is_waiting = False

    async def begin(self, me: Me, until: Until) -> None:
        """A webhook from an earlier life of the bot would keep every update from us."""
        info = await until(self._bot.get_webhook_info())
        if info and info.url:
            await until(self._bot.delete_webhook())
            log.warning("Telegram: removed the webhook of @%s, since no TELEGRAM_WEBHOOK_URL is set.", me.username)

    async def round(self, me: Me, until: Until) -> None:
        """Ask once, and store all that came."""
        chatbot = self._served()
        if chatbot is None:
            self._stop.wait(1.0)
            return
        asked = self._bot.get_updates(offset=self._offset, timeout=LONG_POLL, allowed_updates=WANTED)
        # What an empty answer has confirmed is forgotten: after a quiet week Telegram numbers anew, perhaps lower.
        fetched, self._offset = await until(asked), None
        for update in fetched or ():
            outcome = updates.store(chatbot, read(update, me, self._groups))
            log.info("Telegram: update %d %s", update.update_id, outcome)
            self._offset = update.update_id + 1

    def _served(self) -> Chatbot | None:
        chatbot = updates.served(self._chatbot)
        if chatbot is None and not self._is_waiting:
            name = "no chatbot yet" if self._chatbot is None else f"no chatbot {self._chatbot} (TELEGRAM_CHATBOT)"
            log.warning("Telegram: there is %s; messages wait at Telegram until it is made in the panel.", name)
        self._is_waiting = chatbot is None
        return chatbot
