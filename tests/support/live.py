"""Transcripts that go on by themselves, as a browser would read them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from werkzeug.test import TestResponse

from service.bot.claim import claim
from service.bot.inbox import INBOX, answer
from service.bot.lease import Lease
from service.chat.providers import built_in
from service.models import InboxItem
from tests.support.panel import Browser

GROWING = re.compile(r'data-growing.*?<div class="said-text">(.*?)</div>', re.DOTALL)


@dataclass
class Event:
    name: str
    id: str
    data: str

    @property
    def messages(self) -> list[str]:
        return re.findall(r'id="message-(\d+)"', self.data)


class Stream:
    """Reads what a browser would, event by event; a context, so that its place is free again afterwards."""

    def __init__(self, browser: Browser, path: str, **headers: str) -> None:
        self.response: TestResponse = browser.get(path, headers=headers)

    def __enter__(self) -> Iterator[Event]:
        assert self.response.status_code == 200
        assert self.response.mimetype == "text/event-stream"
        return self._events()

    def __exit__(self, *_error: object) -> None:
        self.response.close()

    def _events(self) -> Iterator[Event]:
        for piece in self.response.iter_encoded():
            fields = re.findall(r"^(\w*): ?(.*)$", piece.decode(), re.MULTILINE)
            known = dict(fields)
            if "event" in known:
                data = "\n".join(value for name, value in fields if name == "data")
                yield Event(known["event"], known.get("id", ""), data)


def talk(browser: Browser, content: str) -> str:
    location = browser.submit("/talk/", content=content).location
    assert location
    return location


def work() -> None:
    answer(taken(), built_in())


def place_in(page: str) -> str:
    found = re.search(r'data-place="([\d.]+)"', page)
    assert found
    return found[1]


def taken() -> Lease[InboxItem]:
    lease = claim(INBOX, "the test", 30)
    assert lease
    return lease
