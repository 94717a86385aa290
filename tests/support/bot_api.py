"""A Bot API server on this machine, as far as the worker uses it: updates with offsets, sending, and faults."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl

TOKEN = "4242:test-token-that-must-stay-secret"
HANG_UP = "hang up"
LONGEST_POLL = 0.2
Fault = dict[str, Any] | str


@dataclass
class BotApi:
    """What waits to be fetched, what was sent, and the faults that the next calls of a method meet."""

    base: str = ""
    updates: list[dict[str, Any]] = field(default_factory=list)
    sent: list[dict[str, Any]] = field(default_factory=list)
    offsets: list[int] = field(default_factory=list)
    faults: dict[str, list[Fault]] = field(default_factory=dict)

    def say(
        self, update_id: int, text: str | None, chat: int = 7, group: dict[str, Any] | None = None, **more: Any
    ) -> None:
        """Somebody writes, in private or in a group; without a text it is a picture."""
        content: dict[str, Any] = {"photo": []} if text is None else {"text": text}
        self.updates.append(
            {
                "update_id": update_id,
                "message": {
                    "message_id": update_id + 1000,
                    "date": 0,
                    "chat": group or {"id": chat, "type": "private", "first_name": "Ada"},
                    "from": {"id": chat, "is_bot": False, "first_name": "Ada", "last_name": "L."},
                    **content,
                    **more,
                },
            }
        )

    def flood(self, seconds: int) -> None:
        self.refuse("sendMessage", 429, "Too Many Requests", parameters={"retry_after": seconds})

    def refuse(self, method: str, code: int, description: str, **more: Any) -> None:
        self._next(method, {"ok": False, "error_code": code, "description": description, **more})

    def hang_up(self, method: str) -> None:
        self._next(method, HANG_UP)

    def _next(self, method: str, fault: Fault) -> None:
        self.faults.setdefault(method, []).append(fault)

    def texts(self) -> list[str]:
        return [message["text"] for message in self.sent]

    def answer(self, token: str, method: str, given: dict[str, str]) -> Fault:
        if token != TOKEN:
            return {"ok": False, "error_code": 401, "description": "Unauthorized"}
        if self.faults.get(method):
            return self.faults[method].pop(0)
        return {"ok": True, "result": self._updates(given) if method == "getUpdates" else self._send(given)}

    def _updates(self, given: dict[str, str]) -> list[dict[str, Any]]:
        """An offset confirms, and so forgets, all updates before it."""
        offset = int(given.get("offset", 0))
        self.offsets.append(offset)
        self.updates = [update for update in self.updates if update["update_id"] >= offset]
        deadline = time.monotonic() + LONGEST_POLL
        while not self.updates and time.monotonic() < deadline:
            time.sleep(0.01)
        return self.updates

    def _send(self, given: dict[str, str]) -> dict[str, Any]:
        self.sent.append(dict(given))
        chat = {"id": int(given["chat_id"]), "type": "private"}
        return {"message_id": len(self.sent), "date": 0, "chat": chat, "text": given["text"]}


def _handler(api: BotApi) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
            _, bot, method = self.path.split("/")
            answer = api.answer(bot.removeprefix("bot"), method, dict(parse_qsl(body)))
            if isinstance(answer, str):
                self.close_connection = True
                return
            payload = json.dumps(answer).encode()
            with suppress(ConnectionError):  # who asked may have been killed meanwhile: that is what some tests do
                self._send_back(answer, payload)

        def _send_back(self, answer: dict[str, Any], payload: bytes) -> None:
            self.send_response(200 if answer["ok"] else int(answer["error_code"]))
            self.send_header("Content-Length", str(len(payload)))
            self.end_headers()
            self.wfile.write(payload)

        def log_message(self, *words: Any) -> None:
            """Silent."""

    return Handler


@contextmanager
def bot_api() -> Iterator[BotApi]:
    api = BotApi()
    with ThreadingHTTPServer(("127.0.0.1", 0), _handler(api)) as server:
        api.base = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield api
        finally:
            server.shutdown()
