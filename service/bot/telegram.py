"""Telegram as the worker sees it: updates into the inbox, answers out of the outbox."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from service.bot.consumer import GiveUp, Later
from service.bot.lease import Lease
from service.bot.outbox import Address
from service.bot.polling import Polling
from service.bot.receiver import Receiver, Way
from service.bot.typist import Typist
from service.bot.webhook import Webhook
from service.config import Config
from service.telegram.client import make_bot
from service.telegram.sender import Flooded, Refused, TelegramSender


def receiver(config: Config, holder: str, stop: threading.Event, beat: Callable[[], object]) -> Receiver:
    bot = make_bot(config.telegram_bot_token, config.telegram_api_base)
    way: Way = Polling(bot, config.telegram_chatbot, config.telegram_groups, stop)
    if config.telegram_webhook_url:
        way = Webhook(bot, config.telegram_webhook_url)
    return Receiver(bot, way, holder, stop, beat)


def typist(config: Config, in_hand: Callable[[], list[Lease[Any] | None]], stop: threading.Event) -> Typist:
    return Typist(make_bot(config.telegram_bot_token, config.telegram_api_base), in_hand, stop)


class Delivery:
    """The sender in the words of the outbox."""

    def __init__(self, config: Config) -> None:
        self._sender = TelegramSender(make_bot(config.telegram_bot_token, config.telegram_api_base))

    def send(self, text: str, address: Address, keep: Callable[[Address], None]) -> None:
        try:
            self._sender.send(text, address, keep)
        except Flooded as error:
            raise Later(error.seconds) from error
        except Refused as error:
            raise GiveUp(str(error)) from error
