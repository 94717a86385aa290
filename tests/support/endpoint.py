"""An HTTP endpoint on this machine that answers as a test tells it: OpenAI's streams, JSON, and every mischief."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.support.processes import HANGS

EVENTS = {"Content-Type": "text/event-stream"}


@dataclass(frozen=True)
class Pause:
    seconds: float


@dataclass(frozen=True)
class Until:
    """Go on once the test says so."""

    event: threading.Event


@dataclass(frozen=True)
class UntilLeft:
    """Send this again and again, until whoever asked hangs up."""

    piece: bytes
    every: float = 0.02


Piece = bytes | Pause | Until | UntilLeft


@dataclass(frozen=True)
class Reply:
    pieces: tuple[Piece, ...] = ()
    status: int = 200
    headers: dict[str, str] = field(default_factory=lambda: dict(EVENTS))


@dataclass(frozen=True)
class Asked:
    path: str
    headers: dict[str, str]
    body: dict[str, Any]


@dataclass
class Endpoint:
    """`replies` are given in turn, the last one again and again; `left` is set when somebody hung up on one."""

    base: str = ""
    replies: list[Reply] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    left: threading.Event = field(default_factory=threading.Event)

    def reply(self) -> Reply:
        return self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]

    def is_left(self) -> bool:
        """Nobody listens any more: who asked has hung up, or had no time left to ask."""
        return not self.asked or self.left.wait(HANGS)


def event(data: object) -> bytes:
    return b"data: " + (data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)).encode() + b"\n\n"


def delta(finish: str | None = None, **words: Any) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": words, "finish_reason": finish}]}


def usage(asked: int, answered: int) -> dict[str, Any]:
    return {"choices": [], "usage": {"prompt_tokens": asked, "completion_tokens": answered}}


def saying(*texts: str, finish: str = "stop", tokens: tuple[int, int] | None = None) -> Reply:
    """An answer as a well-behaved endpoint streams it."""
    events = [*(delta(content=text) for text in texts), delta(finish), *([usage(*tokens)] if tokens else [])]
    return Reply((*map(event, events), event("[DONE]")))


def calling(*calls: tuple[str, str, str]) -> Reply:
    """An answer that wants tools: (id, name, arguments); the arguments come in two pieces, as they do."""
    pieces: list[dict[str, Any]] = []
    for index, (number, name, arguments) in enumerate(calls):
        half = len(arguments) // 2
        first = {"index": index, "id": number, "function": {"name": name, "arguments": arguments[:half]}}
        pieces += [first, {"index": index, "function": {"arguments": arguments[half:]}}]
    events = [*(delta(tool_calls=[piece]) for piece in pieces), delta("tool_calls")]
    return Reply((*map(event, events), event("[DONE]")))


def refusing(status: int, said: object = None, **headers: str) -> Reply:
    body = said if isinstance(said, bytes) else json.dumps(said or {"error": {"message": f"No: {status}"}}).encode()
    return Reply((body,), status, {"Content-Type": "application/json"} | headers)


def answering_json(value: object) -> Reply:
    return Reply((json.dumps(value).encode(),), headers={"Content-Type": "application/json"})


def _handler(endpoint: Endpoint) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            endpoint.asked.append(Asked(self.path, headers, json.loads(content)))
            reply = endpoint.reply()
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.end_headers()
            try:
                self._send(reply.pieces)
            except OSError:
                endpoint.left.set()

        def _send(self, pieces: Iterable[Piece]) -> None:
            for piece in pieces:
                match piece:
                    case Pause():
                        time.sleep(piece.seconds)
                    case Until():
                        piece.event.wait(HANGS)
                    case UntilLeft():
                        while True:
                            self.wfile.write(piece.piece)
                            time.sleep(piece.every)
                    case _:
                        self.wfile.write(piece)
                        self.wfile.flush()

        def log_message(self, *words: Any) -> None:
            """Silent."""

    return Handler


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False  # a reply that goes on for ever must not keep the test from ending


@contextmanager
def endpoint(*replies: Reply) -> Iterator[Endpoint]:
    found = Endpoint(replies=list(replies))
    with _Server(("127.0.0.1", 0), _handler(found)) as server:
        found.base = f"http://127.0.0.1:{server.server_port}/v1"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield found
        finally:
            server.shutdown()
