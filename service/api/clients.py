"""The other end of an answer that takes its time: whether somebody is still there, and takes what is sent."""

from __future__ import annotations

import select
import socket
from collections.abc import Callable
from typing import NamedTuple

from flask import request

# Seconds in which a client has to take what it is sent; one that does not would hold a thread of the panel for ever.
TAKING = 20.0
# Where the server says in a request's environment whether it is about to stop.
IS_STOPPING = "slipway.is_stopping"


class Client(NamedTuple):
    """Both None where another server than the panel's own serves."""

    socket: socket.socket | None
    is_stopping: Callable[[], bool] | None


def limit_patience() -> None:
    """Let gunicorn's socket, where there is one, give up on a client that takes nothing."""
    client = current()
    if client.socket is not None:
        client.socket.settimeout(TAKING)


def current() -> Client:
    """The client of this request, as gunicorn knows it."""
    return Client(request.environ.get("gunicorn.socket"), request.environ.get(IS_STOPPING))


def is_to_end(client: Client) -> bool:
    """Whether to wait no longer: the panel stops, and they can ask the next one; or they have left."""
    return bool(client.is_stopping and client.is_stopping()) or _has_left(client.socket)


def _has_left(other_end: socket.socket | None) -> bool:
    """Who waits for an answer has nothing to say on their connection but that they go. Without this look, that would
    show when something is sent next, and somebody else would have to do without their place until then."""
    if other_end is None:
        return False
    news = select.poll()
    news.register(other_end, select.POLLIN)
    try:
        return bool(news.poll(0)) and not other_end.recv(1, socket.MSG_PEEK)
    except OSError:
        return True
