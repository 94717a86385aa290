"""Transcripts that go on by themselves: what is new is sent as it comes (server-sent events, HTML standard, 9.2).

A stream has a thread of the server for as long as it is open. So there are only a few; who gets none, asks again and
again instead, as the script of the page does without being told. A stream ends after a while, and the browser comes
back with the place that it has reached: that is when its session is looked at anew."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

import peewee as pw
from flask import Flask, Response, copy_current_request_context, current_app, g, request
from flask_login import current_user

from service.admin.conversations.news import News, Place, Tail, read_place
from service.api import clients
from service.api.clients import Client
from service.database import connection
from service.faults import headline

logger = logging.getLogger(__name__)

AT_ONCE = 4  # of the 12 threads that each process of the panel has
LASTS = 120.0  # seconds, as all below
PAUSE = 0.7
# A line now and then, so that nobody between here and the browser takes the stream for dead, and we learn if it is.
BEAT = 10.0
RETRY = 2000  # ms

# The news since a place; None once the thread is not there any more, or not for this person.
Look = Callable[[Place], News | None]
Render = Callable[[News], str]


class Glance(NamedTuple):
    """The news, None when the stream has to end; and what of it the browser does not know, as an event or empty."""

    news: News | None
    event: str


def init_app(app: Flask) -> None:
    app.extensions["live"] = threading.BoundedSemaphore(AT_ONCE)


def place() -> Place:
    """How far the browser has read: what it got last over this stream, else what stood in the page."""
    return read_place(request.headers.get("Last-Event-ID") or request.args.get("after", ""))


def stream(look: Look, render: Render) -> Response:
    slots: threading.BoundedSemaphore = current_app.extensions["live"]
    if not slots.acquire(blocking=False):
        return Response(status=204)  # by which a browser knows that it is not to try again by itself

    @copy_current_request_context
    def glance(reached: Place, tail: Tail | None) -> Glance:
        """Look once, as a request of its own: on its own connection, and with the session as it is by now."""
        with connection():
            return _glance(look, render, reached, tail)

    clients.limit_patience()
    response = Response(
        _events(glance, place(), clients.current()),
        content_type="text/event-stream; charset=utf-8",
        headers={"X-Accel-Buffering": "no"},
    )
    response.call_on_close(slots.release)
    return response


def _glance(look: Look, render: Render, reached: Place, tail: Tail | None) -> Glance:
    if not current_user.is_authenticated:
        return Glance(None, "")
    g.user = current_user.user
    news = look(reached)
    has_changed = news is not None and (news.transcript.messages or news.tail != tail)
    return Glance(news, _event(news, render) if news and has_changed else "")


def _events(glance: Callable[[Place, Tail | None], Glance], reached: Place, client: Client) -> Iterator[str]:
    yield f"retry: {RETRY}\n\n"
    tail: Tail | None = None
    quiet, end = 0.0, time.monotonic() + LASTS
    while time.monotonic() < end and not clients.is_to_end(client):
        try:
            news, event = glance(reached, tail)
        except pw.PeeweeException as error:
            logger.error("A live transcript ended: the database failed with %s", headline(error))
            return
        if news is None:
            yield "event: gone\ndata:\n\n"
            return
        if event:
            reached, tail, quiet = news.place, news.tail, 0.0
            yield event
        elif quiet >= BEAT:
            quiet = 0.0
            yield ":\n\n"
        time.sleep(PAUSE)
        quiet += PAUSE


def _event(news: News, render: Render) -> str:
    data = "".join(f"data: {line}\n" for line in render(news).splitlines())
    return f"event: news\nid: {news.place}\n{data}\n"
