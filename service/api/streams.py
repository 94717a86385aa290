"""The same as a stream of server-sent events, for who wants to show that something is going on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

from flask import Response, stream_with_context

from service.api import chat, clients, replies
from service.api.chat import Said
from service.api.endpoints import Group
from service.api.problems import Problem
from service.api.tokens import CHAT

group = Group("Streams", "Sending a message, and following what becomes of it.")

EVENTS = ("queued", "answering", "text", "done", "late")
EVENT = {
    "type": "object",
    "properties": {"event": {"type": "string", "enum": EVENTS}, "data": {"type": "string"}},
    "required": ["event", "data"],
}
MEDIA = "text/event-stream"
LONGEST = 120.0
# Characters in one event: a program shows the answer as it comes, and a line stays a line.
PIECE = 400


@group.post("/chat/stream", scope=CHAT, body=Said, media=(MEDIA,), content=EVENT, refusals=(404, 409), is_slow=True)
def begin(body: Said) -> Response:
    """Send a message and follow what becomes of it, as server-sent events.

    `queued` and `answering` say how far it is, `text` brings a piece of the answer, and `done` the whole of it, in the
    shape of the answer of `POST /chat`. `late` ends the stream after 120 seconds without an answer: it is at `url`
    then. Lines that begin with a colon only keep the connection open. The answer is stored as a whole when it is
    complete, so its pieces come one right after the other. 503 when too many wait already: nothing is stored then."""
    with ExitStack() as held:
        if not held.enter_context(replies.seat()):
            raise Problem(
                503, "Too many answers are being waited for; try again, or use POST /chat, which does not wait."
            )
        item = chat.received(body)
        let_go = held.pop_all()
    clients.limit_patience()
    response = Response(stream_with_context(_events(item.id, clients.current())), mimetype=MEDIA)
    # However it ends: also when it is left in the middle, or before it began.
    response.call_on_close(let_go.close)
    response.headers["X-Accel-Buffering"] = "no"  # proxies that buffer would keep it all back until the end
    return response


def _events(number: int, client: clients.Client) -> Iterator[str]:
    for item in replies.watch(number, LONGEST, client):
        if item is None:
            yield ": still there\n\n"
        elif not replies.is_over(item):
            answer = chat.answer_of(item)
            yield _event(answer.state, answer.model_dump_json())
    answer = chat.answer_of(replies.look(number))
    if answer.state in ("queued", "answering"):
        yield _event("late", answer.model_dump_json())
        return
    text = answer.reply.content if answer.reply else ""
    for start in range(0, len(text), PIECE):
        yield _event("text", chat.Piece(text=text[start : start + PIECE]).model_dump_json())
    yield _event("done", answer.model_dump_json())


def _event(name: str, data: str) -> str:
    """`data` is JSON, which holds no line end."""
    return f"event: {name}\ndata: {data}\n\n"
