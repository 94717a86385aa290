"""How this service reaches a bot at Telegram."""

from __future__ import annotations

from typing import NamedTuple

from telegram import Bot

CHANNEL = "telegram"


class Me(NamedTuple):
    """The bot itself: its number, and the name that people write after an @."""

    number: int
    username: str


def make_bot(token: str, base: str) -> Bot:
    return Bot(token, base_url=f"{base}/bot", base_file_url=f"{base}/file/bot")


def bot_number(token: str) -> int:
    """The public part of the token; 0 for what is no token, which Telegram will say."""
    number = token.partition(":")[0]
    return int(number) if number.isdecimal() else 0
