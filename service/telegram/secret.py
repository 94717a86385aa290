"""The word by which the panel knows that it is Telegram who calls. It follows from the bot's token, so that the worker,
which tells it to Telegram, and the panel, which expects it, need no setting for it."""

from __future__ import annotations

import hashlib
import hmac

HEADER = "X-Telegram-Bot-Api-Secret-Token"


def secret_of(token: str) -> str:
    """Of the characters that Telegram allows. The token can't be found out from it."""
    return hmac.digest(token.encode(), b"slipway webhook", hashlib.sha256).hex()


def is_secret(given: str, token: str) -> bool:
    """In constant time, whatever was given."""
    return hmac.compare_digest(given.encode(), secret_of(token).encode())
