"""Waiting for the worker's answer, without a connection to the database and without using up the panel's threads."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from service.api.clients import Client, is_to_end
from service.database import connection
from service.models import DEAD, DONE, InboxItem

# Each process of the panel has 12 threads: these, the live transcripts, and enough that a page always finds one.
SEATS = 4
FIRST_LOOK, RAREST_LOOK, BEAT = 0.03, 0.4, 5.0
_seats = threading.BoundedSemaphore(SEATS)


@contextmanager
def seat() -> Iterator[bool]:
    """Whether there was a seat left for another one who waits; held until the block ends."""
    is_mine = _seats.acquire(blocking=False)
    try:
        yield is_mine
    finally:
        if is_mine:
            _seats.release()


def look(number: int) -> InboxItem:
    with connection():
        item: InboxItem = InboxItem.get_by_id(number)
        return item


def is_over(item: InboxItem) -> bool:
    return item.state in (DONE, DEAD)


def settled(number: int, seconds: float, client: Client) -> InboxItem:
    """The item once it is over, or as it is when the time is, or the client gone."""
    item = look(number)
    for found in watch(number, seconds, client):
        item = found or item
    return item


def watch(number: int, seconds: float, client: Client) -> Iterator[InboxItem | None]:
    """The item each time its state is another, until it is over, the time is, or the client has left; None where there
    was nothing new for a while, so that a connection without traffic is not taken for dead."""
    began = heard = time.monotonic()
    state, pause = "", FIRST_LOOK
    while True:
        item = look(number)
        if item.state != state:
            state, heard = item.state, time.monotonic()
            yield item
        if is_over(item) or time.monotonic() - began >= seconds or is_to_end(client):
            return
        if time.monotonic() - heard >= BEAT:
            heard = time.monotonic()
            yield None
        time.sleep(min(pause, max(0.0, began + seconds - time.monotonic())))
        pause = min(pause * 1.3, RAREST_LOOK)
