"""How the panel's server shares out what comes at once, between two processes with twelve threads each."""

from __future__ import annotations

import socket
import statistics
import time
import urllib.request
from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from service.admin.server import AT_ONCE, BRIEF
from service.url import DatabaseUrl
from tests.support.postgresql import free_port
from tests.support.processes import Start, answer, environment, eventually

SERVER = ("--config", "python:service.admin.server", "--workers", "2", "--threads", "12", "--keep-alive", "0")
LINGERS = 2  # seconds, that gunicorn gives a client to close its end


@pytest.fixture
def address(start: Start) -> str:
    port = free_port()
    command = ("gunicorn", "tests.support.dawdling_app:app", "--bind", f"127.0.0.1:{port}", "--no-control-socket")
    start(*command, *SERVER, env=environment(DatabaseUrl("sqlite", ":memory:")))
    eventually(lambda: answer(port, "/0") == 200)
    return f"http://127.0.0.1:{port}"


def ask(address: str, seconds: float) -> tuple[int, int]:
    """By which process, and how many it had in hand."""
    with urllib.request.urlopen(f"{address}/{seconds}", timeout=30) as response:
        process, in_hand = response.read().split()
    return int(process), int(in_hand)


def test_a_process_takes_in_only_what_it_has_time_for(address: str) -> None:
    with ThreadPoolExecutor(16) as crowd:
        answers = list(crowd.map(lambda _: ask(address, 0.02), range(320)))
    assert statistics.median(in_hand for _, in_hand in answers) <= AT_ONCE
    shares = Counter(process for process, _ in answers).values()
    assert len(shares) == 2
    assert min(shares) > 0.25 * len(answers)


def test_who_does_not_hang_up_keeps_nobody_waiting(address: str) -> None:
    host, _, port = address.removeprefix("http://").partition(":")
    began = time.monotonic()
    with ExitStack() as kept:
        for _ in range(8):
            client = kept.enter_context(socket.create_connection((host, int(port)), timeout=30))
            client.sendall(b"GET /0 HTTP/1.1\r\nHost: panel\r\n\r\n")
            assert client.recv(4096).startswith(b"HTTP/1.1 200")
    assert time.monotonic() - began < LINGERS


def test_those_that_take_long_leave_room_for_others(address: str) -> None:
    with ThreadPoolExecutor(10) as crowd:
        slow: list[Future[tuple[int, int]]] = [crowd.submit(ask, address, 5) for _ in range(10)]
        time.sleep(4 * BRIEF)
        ask(address, 0)
        assert not any(one.done() for one in slow)
        assert max(one.result()[1] for one in slow) > AT_ONCE
