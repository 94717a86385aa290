"""A webhook: Telegram brings its updates to the panel, which stores them. The worker arranges it, and watches."""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime

from telegram import Bot, WebhookInfo

from service.bot.receiver import Until
from service.telegram.client import Me
from service.telegram.reading import WANTED
from service.telegram.secret import secret_of

log = logging.getLogger(__name__)

CHECK_SECONDS = 60.0
# Telegram keeps the order of a talk only where it brings one update at a time. Storing one takes milliseconds.
CONNECTIONS = 1


class Webhook:
    def __init__(self, bot: Bot, url: str, check_seconds: float = CHECK_SECONDS) -> None:
        self._bot, self._url, self._check_seconds = bot, url, check_seconds
        self._newest_failure: datetime | None = None

    async def begin(self, me: Me, until: Until) -> None:
        # The panel learns the bot's name from the address, and so needs no answer from Telegram to serve.
        address, secret = self._address(me), secret_of(self._bot.token)
        await until(
            self._bot.set_webhook(address, secret_token=secret, allowed_updates=WANTED, max_connections=CONNECTIONS)
        )
        log.info("Telegram: updates are to be brought to %s.", address)

    async def round(self, me: Me, until: Until) -> None:
        """Now and then look whether the webhook is still ours, and whether Telegram gets through."""
        info = await until(self._bot.get_webhook_info())
        if info and info.url != self._address(me):
            log.warning("Telegram: somebody changed the webhook of @%s; setting it again.", me.username)
            await self.begin(me, until)
        elif info:
            self._tell_of_failures(info)
        await until(asyncio.sleep(self._check_seconds))

    def _address(self, me: Me) -> str:
        return f"{self._url}/telegram/{me.username}"

    def _tell_of_failures(self, info: WebhookInfo) -> None:
        """Telegram remembers its last failure for ever; it matters while there are updates that wait."""
        wait, failed = info.pending_update_count, info.last_error_date
        if wait and failed and failed != self._newest_failure:
            log.warning("Telegram can't reach %s: %s; %d updates wait there.", info.url, info.last_error_message, wait)
            self._newest_failure = failed
