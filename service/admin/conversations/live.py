"""Transcripts that go on by themselves: what is new is sent as it comes (server-sent events, HTML standard, 9.2).

A stream has a thread of the server for as long as it is open. So there are only a few; who gets none, asks again and
again instead, as the script of the page does without being told. A stream ends after a while, and the browser comes
back with the place that it has reached: that is when its session is looked at anew."""

from __future__ import annotations

import json
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


class Known(NamedTuple):
    """What the browser has: up to which place, what stands below, and how much of an answer that is being written."""

    place: Place
    tail: Tail | None = None
    text: str = ""


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
    def glance(known: Known) -> Glance:
        """Look once, as a request of its own: on its own connection, and with the session as it is by now."""
        with connection():
            return _glance(look, render, known)

    clients.limit_patience()
    response = Response(
        _events(glance, Known(place()), clients.current()),
        content_type="text/event-stream; charset=utf-8",
        headers={"X-Accel-Buffering": "no"},
    )
    response.call_on_close(slots.release)
    return response


def _glance(look: Look, render: Render, known: Known) -> Glance:
    if not current_user.is_authenticated:
        return Glance(None, "")
    g.user = current_user.user
    news = look(known.place)
    return Glance(news, _told(news, render, known) if news else "")


def _told(news: News, render: Render, known: Known) -> str:
    """An answer that only grows needs no more than what was added; all else is drawn anew."""
    if news.transcript.messages or news.tail != known.tail or not news.text.startswith(known.text):
        return _event(news, render)
    added = news.text[len(known.text) :]
    return f"event: text\ndata: {json.dumps(added)}\n\n" if added else ""


def _events(glance: Callable[[Known], Glance], known: Known, client: Client) -> Iterator[str]:
    yield f"retry: {RETRY}\n\n"
    quiet, end = 0.0, time.monotonic() + LASTS
    while time.monotonic() < end and not clients.is_to_end(client):
        try:
            news, event = glance(known)
        except pw.PeeweeException as error:
            logger.error("A live transcript ended: the database failed with %s", headline(error))
            return
        if news is None:
            yield "event: gone\ndata:\n\n"
            return
        if event:
            known, quiet = Known(news.place, news.tail, news.text), 0.0
            yield event
        elif quiet >= BEAT:
            quiet = 0.0
            yield ":\n\n"
        pause = PAUSE / 2 if known.text else PAUSE
        time.sleep(pause)
        quiet += pause


def _event(news: News, render: Render) -> str:
    data = "".join(f"data: {line}\n" for line in render(news).splitlines())
    return f"event: news\nid: {news.place}\n{data}\n"
