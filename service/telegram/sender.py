"""Answers on their way to Telegram."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from telegram import Bot, ReplyParameters
from telegram.error import BadRequest, ChatMigrated, Forbidden, RetryAfter

from service.telegram.text import split


class Refused(Exception):
    """Telegram will never take this message. The text says why."""


class Flooded(Exception):
    """Telegram wants to be left alone for so many seconds."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        super().__init__(f"Telegram asks for a pause of {seconds:g} s.")


class TelegramSender:
    """Sends from one thread, with an event loop of its own."""

    def __init__(self, bot: Bot) -> None:
        self._bot, self._runner = bot, asyncio.Runner()

    def send(self, text: str, address: Mapping[str, Any], sent: int, keep: Callable[[int], None]) -> None:
        """Deliver the text in as many parts as it takes, `sent` of which went before; `keep` is told of each more.
        Raises Refused or Flooded; any other error is worth another attempt."""
        parts = split(text)
        for number, part in enumerate(parts[sent:], start=sent + 1):
            self._runner.run(self._send(part, address))
            if number < len(parts):
                keep(number)

    async def _send(self, part: str, address: Mapping[str, Any]) -> None:
        try:
            await self._bot.send_message(
                chat_id=address["chat_id"],
                text=part,
                message_thread_id=address.get("message_thread_id"),
                reply_parameters=_reply(address),
            )
        except RetryAfter as error:
            raise Flooded(pause(error)) from error
        except (BadRequest, Forbidden, ChatMigrated) as error:
            raise Refused(f"Telegram refuses the message: {error.message}") from error


def pause(error: RetryAfter) -> float:
    """The seconds that Telegram asks for."""
    delay = error.retry_after  # which of the two, PTB_TIMEDELTA decides
    return delay.total_seconds() if isinstance(delay, timedelta) else float(delay)


def _reply(address: Mapping[str, Any]) -> ReplyParameters | None:
    """In a group it must be seen whom an answer is for."""
    if address.get("chat_type") == "private" or "message_id" not in address:
        return None
    return ReplyParameters(message_id=address["message_id"], allow_sending_without_reply=True)
