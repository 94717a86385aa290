"""How the worker writes its log: one line an event, in UTC, without secrets and without what people said."""

from __future__ import annotations

import logging
import time

# They log addresses, which hold the bot's token, and message texts; Peewee's are the values in its SQL.
_TALKATIVE = ("httpx", "httpcore", "telegram", "peewee")


class RedactingFormatter(logging.Formatter):
    """Takes the secret out of the finished line, whoever wrote it there, traceback included."""

    def __init__(self, secret: str) -> None:
        super().__init__("%(asctime)sZ %(levelname)s %(message)s", "%Y-%m-%dT%H:%M:%S")
        self.converter = time.gmtime
        self._secret = secret

    def format(self, record: logging.LogRecord) -> str:
        line = super().format(record)
        return line.replace(self._secret, "…") if self._secret else line


def configure(level: str, secret: str) -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(RedactingFormatter(secret))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)
