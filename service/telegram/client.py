"""How this service reaches a bot at Telegram."""

from __future__ import annotations

from telegram import Bot

CHANNEL = "telegram"


def make_bot(token: str, base: str) -> Bot:
    return Bot(token, base_url=f"{base}/bot", base_file_url=f"{base}/file/bot")


def bot_number(token: str) -> str:
    """Updates are numbered for each bot by itself, and a bot's number is the public part of its token."""
    return token.partition(":")[0]
