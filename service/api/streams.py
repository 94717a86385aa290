"""The same as a stream of server-sent events: an answer is seen while it is being written."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial

from flask import Response, request, stream_with_context

from service.api import chat, clients, places, replies
from service.api.chat import Said
from service.api.endpoints import Group
from service.api.places import Place
from service.api.problems import Problem
from service.api.replies import Seen
from service.api.tokens import CHAT
from service.chat import following
from service.database import connection
from service.models import InboxItem

group = Group("Streams", "Sending a message, and following what becomes of it.")

EVENTS = ("queued", "answering", "text", "restart", "done", "late")
EVENT = {
    "type": "object",
    "properties": {
        "event": {"type": "string", "enum": EVENTS},
        "id": {"type": "string", "description": "With `text` and `restart`: how far the answer is known."},
        "data": {"type": "string", "description": "JSON."},
    },
    "required": ["event", "data"],
}
MEDIA = "text/event-stream"
LONGEST = 120.0
FULL = "Too many answers are being waited for; try again, or use {instead}, which does not wait."


@group.post(
    "/chat/stream",
    scope=CHAT,
    body=Said,
    media=(MEDIA,),
    content=EVENT,
    refusals=(404, 409),
    is_slow=True,
    is_resumed=True,
)
def begin(body: Said) -> Response:
    """Send a message and follow what becomes of it, as server-sent events.

    `queued` and `answering` say how far it is. `text` brings the next piece of the answer while it is being written,
    and `done` the whole of it as it is stored, in the shape of the answer of `POST /chat`. `restart` says that the
    answer is being written anew, since an attempt failed: forget the text so far. All text since the last `restart` is
    the answer. `late` ends the stream after 120 seconds without an answer: it is at `url` then, and `url` with
    `/stream` goes on following. Lines that begin with a colon only keep the connection open. Who reads slowly gets
    fewer and longer pieces. 503 when too many wait already: nothing is stored then."""
    return _stream(partial(chat.received, body, is_followed=True), "POST /chat")


@group.get("/chat/<int:item_id>/stream", scope=CHAT, media=(MEDIA,), content=EVENT, is_slow=True, is_resumed=True)
def follow(item_id: int) -> Response:
    """Follow what becomes of a message that was sent here, as server-sent events.

    The events are those of `POST /chat/stream`. With the id of the last one as `Last-Event-ID`, the text goes on where
    it was broken off. Where nobody followed when work on the message began, the text may come at once in the end."""
    return _stream(partial(chat.sent, item_id), f"GET /chat/{item_id}")


def _stream(find: Callable[[], InboxItem], instead: str) -> Response:
    with ExitStack() as held:
        if not held.enter_context(replies.seat()):
            raise Problem(503, FULL.format(instead=instead))
        item = find()
        let_go = held.pop_all()
    clients.limit_patience()
    place = places.read(request.headers.get("Last-Event-ID", ""))
    response = Response(stream_with_context(_events(item.id, clients.current(), place)), mimetype=MEDIA)
    # However it ends: also when it is left in the middle, or before it began.
    response.call_on_close(let_go.close)
    response.headers["X-Accel-Buffering"] = "no"  # proxies that buffer would keep it all back until the end
    return response


def _events(number: int, client: clients.Client, place: Place) -> Iterator[str]:
    state = ""
    for seen in replies.watch(partial(_look, number), LONGEST, client):
        if seen is None:
            yield ": still there\n\n"
        elif not replies.is_over(seen.item):
            if seen.item.state != state:
                state = seen.item.state
                answer = chat.answer_of(seen.item)
                yield _event(answer.state, answer.model_dump_json())
            yield from _text(seen.text, place)
            place = places.end_of(seen.text)
    answer = chat.answer_of(replies.look(number))
    if answer.state in ("queued", "answering"):
        yield _event("late", answer.model_dump_json())
        return
    yield from _text(answer.reply.content if answer.reply else "", place)
    yield _event("done", answer.model_dump_json())


def _look(number: int) -> Seen:
    """The text first: read last, it might be gone already, because the answer was stored in between."""
    with connection():
        text = following.written(number)
        item = replies.look(number)
        following.follow(item.chatbot_id, item.channel, item.thread)
        return Seen(item, text)


def _text(text: str, place: Place) -> Iterator[str]:
    """What follows; all of it, if what the client has is something else."""
    more = places.rest(text, place)
    if more is None:
        more = text
        yield _event("restart", "{}", places.BEGINNING)
    if more:
        yield _event("text", chat.Piece(text=more).model_dump_json(), places.end_of(text))


def _event(name: str, data: str, place: Place | None = None) -> str:
    """`data` is JSON, which holds no line end."""
    number = f"id: {place}\n" if place is not None else ""
    return f"event: {name}\n{number}data: {data}\n\n"
