"""An export on its way out, to a program as to a browser: in pieces, and broken off where the database fails."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import peewee as pw

from service.chat import export
from service.chat.export import Piece
from service.faults import headline

logger = logging.getLogger(__name__)


class BrokenOff(Exception):
    """Ends the connection, so that nobody takes what has come for the whole."""


def of(conversations: Any, form: str, name: str) -> Iterator[Piece]:
    """As export.pieces. The driver's own error would quote the statement, and with it what was searched for, in the
    server's log. Raises BrokenOff."""
    try:
        yield from export.pieces(conversations, form)
    except pw.PeeweeException as error:
        logger.error("An export broke off: the database failed with %s", headline(error))
        raise BrokenOff(f"{name} is not whole") from None
