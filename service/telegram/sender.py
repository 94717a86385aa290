"""Answers on their way to Telegram."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, NamedTuple

from telegram import Bot, MessageEntity, ReplyParameters
from telegram.error import BadRequest, ChatMigrated, Forbidden, RetryAfter, TelegramError

from service.telegram.markdown import render
from service.telegram.text import Entity, Rich, split
from service.telegram.updates import moved

Address = Mapping[str, Any]
# A message that Telegram took, but too slowly for us, is sent again: better to wait than to say a thing twice.
SECONDS = 20.0
ADAPTATIONS = 4


class Refused(Exception):
    """Telegram will never take this message. The text says why."""


class Flooded(Exception):
    """Telegram wants to be left alone for so many seconds."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        super().__init__(f"Telegram asks for a pause of {seconds:g} s.")


class Letter(NamedTuple):
    """One message: what it says, and where to."""

    part: Rich
    address: Address


class TelegramSender:
    """Sends from one thread, with an event loop of its own."""

    def __init__(self, bot: Bot) -> None:
        self._bot, self._runner = bot, asyncio.Runner()

    def send(self, text: str, address: Address, keep: Callable[[Address], None]) -> None:
        """Deliver the Markdown in as many messages as it takes. `keep` is told of the address whenever it changes: its
        `sent` is the number of messages that went before, and a group may move.
        Raises Refused or Flooded; any other error is worth another attempt."""
        parts = split(render(text))
        for number in range(address.get("sent", 0), len(parts)):
            address = self._runner.run(self._deliver(Letter(parts[number], address), keep))
            if number + 1 < len(parts):
                address = {**address, "sent": number + 1}
                keep(address)

    async def _deliver(self, letter: Letter, keep: Callable[[Address], None]) -> Address:
        """Send it, changed if need be in what Telegram does not like; the address at which it arrived."""
        for _ in range(ADAPTATIONS):
            try:
                await self._post(letter)
                return letter.address
            except RetryAfter as error:
                raise Flooded(pause(error)) from error
            except (BadRequest, Forbidden, ChatMigrated) as error:
                other = adapted(letter, error)
                if other is None:
                    raise Refused(f"Telegram refuses the message: {error.message}") from error
                if isinstance(error, ChatMigrated):
                    moved(letter.address["chat_id"], error.new_chat_id)
                    keep(other.address)
                letter = other
        raise Refused("Telegram refuses the message in every form.")

    async def _post(self, letter: Letter) -> None:
        await self._bot.send_message(
            chat_id=letter.address["chat_id"],
            text=letter.part.text,
            entities=[_entity(entity) for entity in letter.part.entities] or None,
            message_thread_id=letter.address.get("message_thread_id"),
            reply_parameters=_reply(letter.address),
            read_timeout=SECONDS,
            write_timeout=SECONDS,
        )


def adapted(letter: Letter, error: TelegramError) -> Letter | None:
    """The letter without what Telegram objects to; None where that is the letter itself."""
    part, address, reason = letter.part, letter.address, error.message.lower()
    if isinstance(error, ChatMigrated):  # in the new chat the messages have other numbers
        return Letter(part, {**_without(address, "message_id"), "chat_id": error.new_chat_id})
    if ("entit" in reason or "url" in reason) and part.entities:
        return Letter(Rich(part.text), address)
    if "thread not found" in reason and "message_thread_id" in address:
        return Letter(part, _without(address, "message_thread_id"))
    if "repl" in reason and "message_id" in address:
        return Letter(part, _without(address, "message_id"))
    return None


def pause(error: RetryAfter) -> float:
    """The seconds that Telegram asks for."""
    delay = error.retry_after  # which of the two, PTB_TIMEDELTA decides
    return delay.total_seconds() if isinstance(delay, timedelta) else float(delay)


def _without(address: Address, name: str) -> dict[str, Any]:
    return {key: value for key, value in address.items() if key != name}


def _entity(entity: Entity) -> MessageEntity:
    return MessageEntity(entity.kind, entity.offset, entity.length, url=entity.url, language=entity.language)


def _reply(address: Address) -> ReplyParameters | None:
    """In a group it must be seen whom an answer is for; if the question is gone by now, the answer stands alone."""
    if address.get("chat_type") == "private" or "message_id" not in address:
        return None
    return ReplyParameters(message_id=address["message_id"], allow_sending_without_reply=True)
