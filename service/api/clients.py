"""The other end of an answer that takes its time: whether somebody is still there, and takes what is sent."""

from __future__ import annotations

import select
import socket

from flask import request

# Seconds in which a client has to take what it is sent; one that does not would hold a thread of the panel for ever.
TAKING = 20.0


def limit_patience() -> None:
    """Let gunicorn's socket, where there is one, give up on a client that takes nothing."""
    client = current()
    if client is not None:
        client.settimeout(TAKING)


def current() -> socket.socket | None:
    """The client of this request, as gunicorn knows it."""
    found: socket.socket | None = request.environ.get("gunicorn.socket")
    return found


def has_left(client: socket.socket | None) -> bool:
    """Who waits for an answer has nothing to say on their connection but that they go. Without this look, that would
    show when something is sent next, and somebody else would have to do without their place until then."""
    if client is None:
        return False
    news = select.poll()
    news.register(client, select.POLLIN)
    try:
        return bool(news.poll(0)) and not client.recv(1, socket.MSG_PEEK)
    except OSError:
        return True
