"""Providers that do what a test needs of them."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from service.chat.providers import Cancelled, Chunk, ProviderError, Request


@dataclass
class Recorder:
    """Answers at once, with a text or with chunks, and remembers what it was asked."""

    reply: str = "Noted."
    requests: list[Request] = field(default_factory=list)
    chunks: tuple[Chunk, ...] = ()

    def stream(self, request: Request) -> Iterator[Chunk]:
        self.requests.append(request)
        yield from self.chunks or self.reply


@dataclass
class Failing:
    error: Exception

    def stream(self, request: Request) -> Iterator[Chunk]:
        yield "half an"
        raise self.error


def overloaded() -> Failing:
    return Failing(ProviderError("The endpoint answered 503.", is_temporary=True))


@dataclass
class Gated:
    """Answers once the gate, a folder shared between processes, holds a file named "open". Until then the folder
    shows by a file named after the process and the question that this process is at work."""

    gate: Path

    def stream(self, request: Request) -> Iterator[Chunk]:
        (self.gate / f"{os.getpid()} {request.question}").touch()
        yield "Answer to "
        while not (self.gate / "open").exists():
            time.sleep(0.005)
        yield request.question


@dataclass
class Endless:
    """Never answers. One that hears ends when it is told that nobody waits any more; a deaf one hangs on, until the
    test lets go of it."""

    hears: bool
    released: threading.Event = field(default_factory=threading.Event)

    def stream(self, request: Request) -> Iterator[Chunk]:
        yield "Let me think"
        while not (self.hears and request.is_cancelled()) and not self.released.wait(0.005):
            pass
        raise Cancelled
