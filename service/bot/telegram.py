"""Telegram, by long polling: updates into the inbox, answers out of the outbox."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Coroutine, Mapping
from datetime import timedelta
from typing import Any, TypeVar

from telegram import Bot, Message, ReplyParameters, Update
from telegram.error import BadRequest, ChatMigrated, Conflict, Forbidden, InvalidToken, RetryAfter

from service.bot.consumer import GiveUp, Later, Outage
from service.chat.receive import receive
from service.database import connection
from service.models import Chatbot

log = logging.getLogger(__name__)

CHANNEL = "telegram"
LIMIT = 4096  # UTF-16 code units, as Telegram counts them
LONG_POLL, GLANCE = 25, 0.25
T = TypeVar("T")


def make_bot(token: str, base: str) -> Bot:
    return Bot(token, base_url=f"{base}/bot", base_file_url=f"{base}/file/bot")


class Poller:
    """Takes updates from Telegram. An update is stored and committed, and only the next question moves the offset:
    a crash in between brings the update again, and the inbox knows it by its number."""

    def __init__(self, bot: Bot, chatbot: int | None, stop: threading.Event) -> None:
        self._bot, self._chatbot, self._stop = bot, chatbot, stop
        self._number = bot.token.partition(":")[0]  # updates are numbered for each bot by itself
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
            self._store(chatbot, update)
            self._offset = update.update_id + 1

    def _served(self) -> Chatbot | None:
        with connection():
            wanted = Chatbot.select().order_by(Chatbot.id)
            if self._chatbot is not None:
                wanted = wanted.where(Chatbot.id == self._chatbot)
            chatbot = wanted.limit(1).get_or_none()
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

    def _store(self, chatbot: Chatbot, update: Update) -> None:
        message = update.message
        if message is None or not message.text:
            log.info("Telegram: update %d holds no text; passed over", update.update_id)
            return
        item = receive(
            chatbot,
            channel=CHANNEL,
            external_id=f"{self._number}/{update.update_id}",
            thread=_thread(message),
            content=message.text,
            metadata=_metadata(message),
        )
        outcome = f"stored as inbox {item.id}" if item else "was stored before"
        log.info("Telegram: update %d %s", update.update_id, outcome)


def _hint(error: Exception) -> str:
    if isinstance(error, InvalidToken):
        return "Telegram refuses TELEGRAM_BOT_TOKEN, give the worker the token that @BotFather shows"
    if isinstance(error, Conflict):
        return "somebody else polls with this TELEGRAM_BOT_TOKEN or a webhook is set, only one of them may"
    return ""


def _asked_delay(error: Exception) -> float:
    return _seconds(error) if isinstance(error, RetryAfter) else 0.0


def _seconds(error: RetryAfter) -> float:
    delay = error.retry_after  # which of the two, PTB_TIMEDELTA decides
    return delay.total_seconds() if isinstance(delay, timedelta) else float(delay)


def _topic(message: Message) -> int | None:
    """Plain replies in groups carry a thread number too; only a topic is a talk of its own."""
    return message.message_thread_id if message.is_topic_message else None


def _thread(message: Message) -> str:
    topic = _topic(message)
    return f"{message.chat.id}/{topic}" if topic else str(message.chat.id)


def _metadata(message: Message) -> dict[str, Any]:
    given = {
        "chat_id": message.chat.id,
        "chat_type": message.chat.type,
        "message_thread_id": _topic(message),
        "message_id": message.message_id,
        "sender": message.from_user.full_name if message.from_user else None,
    }
    return {key: value for key, value in given.items() if value is not None}


class TelegramSender:
    """Sends from one thread, with an event loop of its own."""

    def __init__(self, bot: Bot) -> None:
        self._bot, self._runner = bot, asyncio.Runner()

    def send(self, text: str, address: Mapping[str, Any], sent: int, keep: Callable[[int], None]) -> None:
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
            raise Later(_seconds(error)) from error
        except (BadRequest, Forbidden, ChatMigrated) as error:
            raise GiveUp(f"Telegram refuses the message: {error.message}") from error


def _reply(address: Mapping[str, Any]) -> ReplyParameters | None:
    """In a group it must be seen whom an answer is for."""
    if address.get("chat_type") == "private" or "message_id" not in address:
        return None
    return ReplyParameters(message_id=address["message_id"], allow_sending_without_reply=True)


def split(text: str, limit: int = LIMIT) -> list[str]:
    """Parts that Telegram accepts, cut at a line end or a space where there is one in the second half."""
    parts = []
    while len(text.encode("utf-16-le")) > 2 * limit:
        longest = text.encode("utf-16-le")[: 2 * limit].decode("utf-16-le", "ignore")
        cut = next((at for at in (longest.rfind("\n"), longest.rfind(" ")) if at >= len(longest) // 2), len(longest))
        parts.append(text[:cut].rstrip())
        text = text[cut:].lstrip()
    return [part for part in (*parts, text) if part.strip()]
