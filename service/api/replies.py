"""Waiting for the worker's answer, without a connection to the database and without using up the panel's threads."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from service.api.clients import Client, is_to_end
from service.database import connection
from service.models import DEAD, DONE, InboxItem

# Each process of the panel has 12 threads: these, the live transcripts, and enough that a page always finds one.
SEATS = 4
FIRST_LOOK, RAREST_LOOK, BEAT = 0.03, 0.4, 5.0
# After something new more of it is likely, but not before the worker leaves it there.
NEXT_LOOK = 0.15
_seats = threading.BoundedSemaphore(SEATS)


class Seen(NamedTuple):
    """What waits for its answer, and what there is of that so far, for those who want to see it grow."""

    item: InboxItem
    text: str = ""


Look = Callable[[], Seen]


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
    for seen in watch(lambda: Seen(look(number)), seconds, client):
        item = seen.item if seen else item
    return item


def watch(look: Look, seconds: float, client: Client) -> Iterator[Seen | None]:
    """What one sees each time it is something else, until the item is over, the time is, or the client has left; None
    where there was nothing new for a while, so that a connection without traffic is not taken for dead."""
    began = heard = time.monotonic()
    known, pause = ("", ""), FIRST_LOOK
    while True:
        seen = look()
        if (seen.item.state, seen.text) != known:
            known, heard, pause = (seen.item.state, seen.text), time.monotonic(), min(pause, NEXT_LOOK)
            yield seen
        if is_over(seen.item) or time.monotonic() - began >= seconds or is_to_end(client):
            return
        if time.monotonic() - heard >= BEAT:
            heard = time.monotonic()
            yield None
        time.sleep(min(pause, max(0.0, began + seconds - time.monotonic())))
        pause = min(pause * 1.3, RAREST_LOOK)
