"""The loop that has Telegram's updates brought into the inbox."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Coroutine
from typing import Any, Protocol, TypeVar

from telegram import Bot
from telegram.error import BadRequest, Conflict, InvalidToken, RetryAfter, TelegramError

from service.bot import duty
from service.bot.consumer import Outage
from service.chat.commands import COMMANDS
from service.faults import headline
from service.telegram.client import Me, bot_number
from service.telegram.sender import pause

log = logging.getLogger(__name__)

# A worker that dies is replaced after HOLD seconds at most; one that stops, after STAND_BY.
HOLD, STAND_BY, GLANCE = 4.0, 0.5, 0.25
T = TypeVar("T")


class Until(Protocol):
    """Waits for a call, but no longer than there is somebody who wants its result."""

    async def __call__(self, asked: Coroutine[Any, Any, T], /) -> T | None: ...


class Way(Protocol):
    """How updates come: they are fetched, or Telegram brings them."""

    async def begin(self, me: Me, until: Until) -> None:
        """Tell Telegram of it. Asked again after every change of hands."""
        ...

    async def round(self, me: Me, until: Until) -> None:
        """One turn of what there is to do, which waits for it."""
        ...


class Receiver:
    """Of several workers one does it at a time. `beat` is called each time the loop goes round."""

    def __init__(
        self, bot: Bot, way: Way, holder: str, stop: threading.Event, beat: Callable[[], object] = lambda: None
    ) -> None:
        self._bot, self._way, self._holder, self._stop, self._beat = bot, way, holder, stop, beat
        self._duty = f"telegram:{bot_number(bot.token)}"
        self._outage = Outage("Telegram", stop)
        self._is_standing_by = False

    def run(self) -> None:
        with asyncio.Runner() as runner:
            while not self._stop.is_set():
                self._beat()
                try:
                    with duty.holding(self._duty, self._holder, HOLD) as held:
                        if held:
                            runner.run(self._serve(held))
                        else:
                            self._stand_by()
                except Exception as error:
                    self._outage.wait(error)

    def _stand_by(self) -> None:
        if not self._is_standing_by:
            log.info("Telegram: another worker receives; this one answers, and takes over when that one is gone.")
        self._is_standing_by = True
        self._outage.end()
        self._stop.wait(STAND_BY)

    async def _serve(self, held: duty.Hold) -> None:
        """Receive until told to stop, or until somebody else has the duty."""
        self._is_standing_by, me = False, None

        def is_over() -> bool:
            self._beat()  # asked at every glance, also during a long poll
            return self._stop.is_set() or not held.is_mine

        async def until(asked: Coroutine[Any, Any, T], /) -> T | None:
            return await unless(is_over, asked)

        while not is_over():
            try:
                me = me or await self._begin(until)
                if me:
                    await self._way.round(me, until)
                    self._outage.end()
            except Exception as error:
                self._outage.wait(error, hint=_hint(error), at_least=_asked_delay(error))

    async def _begin(self, until: Until) -> Me | None:
        user = await until(self._bot.get_me())
        if user is None:
            return None
        me = Me(user.id, user.username or "")
        await self._way.begin(me, until)
        await self._show_commands(until)
        log.info("Telegram: receiving for @%s.", me.username)
        return me

    async def _show_commands(self, until: Until) -> None:
        """The menu beside the text field; the commands work without it."""
        try:
            await until(self._bot.set_my_commands(list(COMMANDS.items())))
        except TelegramError as error:
            log.warning("Telegram: the menu of commands was not set: %s", headline(error))


async def unless(is_over: Callable[[], bool], asked: Coroutine[Any, Any, T]) -> T | None:
    """The result of a call, or None as soon as it is over: a long poll outlasts the time that a stopping worker has."""
    task = asyncio.ensure_future(asked)
    while not task.done():
        await asyncio.wait([task], timeout=GLANCE)
        if is_over() and not task.done():
            task.cancel()
            return None
    return task.result()


def _hint(error: Exception) -> str:
    if isinstance(error, InvalidToken):
        return "Telegram refuses TELEGRAM_BOT_TOKEN, give the worker the token that @BotFather shows"
    if isinstance(error, Conflict):
        return "somebody else polls with this TELEGRAM_BOT_TOKEN or a webhook is set, only one of them may"
    if isinstance(error, BadRequest):
        return f"Telegram refuses the webhook, look at TELEGRAM_WEBHOOK_URL ({error.message})"
    return ""


def _asked_delay(error: Exception) -> float:
    return pause(error) if isinstance(error, RetryAfter) else 0.0
