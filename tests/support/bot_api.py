"""A Bot API server on this machine, as far as the service uses it: updates with offsets, a webhook, sending, faults."""

from __future__ import annotations

import json
import select
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl

NUMBER, USERNAME = 4242, "harbour_bot"
TOKEN = f"{NUMBER}:test-token-that-must-stay-secret"
# Two ways to break off: without an answer, and in the middle of one.
HANG_UP, RESET = "hang up", "reset"
LONGEST_POLL = 0.2
ME = {"id": NUMBER, "is_bot": True, "first_name": "Harbour desk", "username": USERNAME}
# An answer of the Bot API, a page of whatever stands before it (status and body), or none.
Fault = dict[str, Any] | tuple[int, bytes] | str


def message(message_id: int, text: str | None, chat: int = 7, group: dict[str, Any] | None = None, **more: Any) -> Any:
    """What Telegram tells of a message, in private or in a group; without a text it is a picture."""
    picture = {"photo": [{"file_id": "p", "file_unique_id": "u", "width": 1, "height": 1}]}
    return {
        "message_id": message_id,
        "date": 0,
        "chat": group or {"id": chat, "type": "private", "first_name": "Ada"},
        "from": {"id": chat, "is_bot": False, "first_name": "Ada", "last_name": "L."},
        **(picture if text is None else {"text": text}),
        **more,
    }


@dataclass
class BotApi:
    """What waits to be fetched, what was sent, and the faults that the next calls of a method meet."""

    base: str = ""
    updates: list[dict[str, Any]] = field(default_factory=list)
    sent: list[dict[str, Any]] = field(default_factory=list)
    actions: list[dict[str, Any]] = field(default_factory=list)
    commands: list[dict[str, Any]] = field(default_factory=list)
    webhook: dict[str, str] = field(default_factory=dict)
    offsets: list[int] = field(default_factory=list)
    faults: dict[str, list[Fault]] = field(default_factory=dict)
    trouble: dict[str, Any] = field(default_factory=dict)
    asked: Counter[str] = field(default_factory=Counter)
    conflicts: int = 0
    _polls: int = 0

    def say(self, update_id: int, text: str | None, **more: Any) -> None:
        """Somebody writes."""
        self.push(update_id, message=message(update_id + 1000, text, **more))

    def edit(self, update_id: int, message_id: int, text: str, **more: Any) -> None:
        self.push(update_id, edited_message=message(message_id, text, edit_date=1, **more))

    def push(self, update_id: int, **content: Any) -> None:
        self.updates.append({"update_id": update_id, **content})

    def flood(self, seconds: int, method: str = "sendMessage") -> None:
        self.refuse(method, 429, "Too Many Requests", parameters={"retry_after": seconds})

    def refuse(self, method: str, code: int, description: str, **more: Any) -> None:
        self.meet(method, {"ok": False, "error_code": code, "description": description, **more})

    def hang_up(self, method: str) -> None:
        self.meet(method, HANG_UP)

    def meet(self, method: str, fault: Fault) -> None:
        self.faults.setdefault(method, []).append(fault)

    def texts(self) -> list[str]:
        return [sent["text"] for sent in self.sent]

    def answer(self, token: str, method: str, given: dict[str, str], is_gone: Callable[[], bool]) -> Fault:
        if token != TOKEN:
            return {"ok": False, "error_code": 401, "description": "Unauthorized"}
        self.asked[method] += 1
        if self.faults.get(method):
            return self.faults[method].pop(0)
        if method == "getUpdates":
            return self._get_updates(given, is_gone)
        methods: dict[str, Callable[[dict[str, str]], Any]] = {
            "getMe": lambda _given: ME,
            "getWebhookInfo": self._webhook_info,
            "setWebhook": self._set_webhook,
            "deleteWebhook": self._delete_webhook,
            "setMyCommands": self._set_commands,
            "sendChatAction": self._act,
            "sendMessage": self._send,
        }
        return {"ok": True, "result": methods[method](given)}

    def _get_updates(self, given: dict[str, str], is_gone: Callable[[], bool]) -> Fault:
        """An offset confirms, and so forgets, all updates before it. A second poll at the same time ends the first."""
        if self.webhook:
            return _conflict("can't use getUpdates method while webhook is active")
        self._polls += 1
        number, offset = self._polls, int(given.get("offset", 0))
        self.offsets.append(offset)
        self.updates = [update for update in self.updates if update["update_id"] >= offset]
        deadline = time.monotonic() + LONGEST_POLL
        while not self.updates and time.monotonic() < deadline and not is_gone():
            time.sleep(0.01)
            if number != self._polls:
                self.conflicts += 1
                return _conflict("terminated by other getUpdates request")
        return {"ok": True, "result": self.updates}

    def _webhook_info(self, _given: dict[str, str]) -> dict[str, Any]:
        url = self.webhook.get("url", "")
        return {"url": url, "has_custom_certificate": False, "pending_update_count": len(self.updates), **self.trouble}

    def _set_webhook(self, given: dict[str, str]) -> bool:
        self.webhook = dict(given)
        return True

    def _delete_webhook(self, _given: dict[str, str]) -> bool:
        self.webhook = {}
        return True

    def _act(self, given: dict[str, str]) -> bool:
        self.actions.append(dict(given))
        return True

    def _set_commands(self, given: dict[str, str]) -> bool:
        self.commands = json.loads(given["commands"])
        return True

    def _send(self, given: dict[str, str]) -> dict[str, Any]:
        self.sent.append(dict(given))
        chat = {"id": int(given["chat_id"]), "type": "private"}
        return {"message_id": len(self.sent), "date": 0, "chat": chat, "text": given["text"]}


def _conflict(why: str) -> dict[str, Any]:
    return {"ok": False, "error_code": 409, "description": f"Conflict: {why}"}


def _handler(api: BotApi) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
            _, bot, method = self.path.split("/")
            answer = api.answer(bot.removeprefix("bot"), method, dict(parse_qsl(body)), self._is_gone)
            with suppress(ConnectionError):  # who asked may have been killed meanwhile: that is what some tests do
                self._send_back(answer)

        def _is_gone(self) -> bool:
            readable, _, _ = select.select([self.connection], [], [], 0)
            return bool(readable) and not self.connection.recv(1, socket.MSG_PEEK)

        def _send_back(self, answer: Fault) -> None:
            if isinstance(answer, str):
                self._break_off(answer)
                return
            if isinstance(answer, tuple):
                status, payload = answer
            else:
                status, payload = (200 if answer["ok"] else int(answer["error_code"])), json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(payload)))
            self.end_headers()
            self.wfile.write(payload)

        def _break_off(self, how: str) -> None:
            self.close_connection = True
            if how == RESET:
                self.wfile.write(b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"ok": tr')
                # Closing without lingering is a reset, and not an orderly end.
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

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
