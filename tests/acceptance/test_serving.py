"""How the panel's server shares out what comes at once, between two processes with twelve threads each."""

from __future__ import annotations

import socket
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from service.admin.server import AT_ONCE
from service.url import DatabaseUrl
from tests.support.postgresql import free_port
from tests.support.processes import HANGS, Start, answer, environment, eventually

SERVER = ("--workers", "2", "--threads", "12", "--keep-alive", "0", "--no-control-socket")
Serve = Callable[[str], str]


@pytest.fixture
def gate(tmp_path: Path) -> Path:
    (tmp_path / "gate").mkdir()
    return tmp_path / "gate"


@pytest.fixture
def serve(start: Start, gate: Path) -> Serve:
    """Serves with this configuration; the address."""

    def begin(config: str) -> str:
        port = free_port()
        command = ("gunicorn", "tests.support.dawdling_app:app", "--bind", f"127.0.0.1:{port}", *SERVER)
        env = environment(DatabaseUrl("sqlite", ":memory:"), TEST_GATE=str(gate))
        start(*command, "--config", f"python:{config}", env=env)
        eventually(lambda: answer(port, "/") == 200)
        return f"http://127.0.0.1:{port}"

    return begin


@contextmanager
def asked(address: str, gate: Path, times: int) -> Iterator[list[Future[bytes]]]:
    """Requests that come at once, and all end with the block."""
    with ThreadPoolExecutor(times) as crowd:
        try:
            yield [crowd.submit(ask, f"{address}/{number}") for number in range(times)]
        finally:
            (gate / "open").touch()


def ask(address: str) -> bytes:
    with urllib.request.urlopen(address, timeout=2 * HANGS) as response:
        said: bytes = response.read()
        return said


def in_hand(gate: Path) -> list[tuple[str, str]]:
    """Which process is at which request."""
    return [(process, name) for process, _, name in (path.name.partition(" ") for path in gate.iterdir()) if name]


def test_a_process_takes_in_only_what_it_has_time_for(serve: Serve, gate: Path) -> None:
    address = serve("tests.support.unhurried_server")
    with asked(address, gate, 5 * AT_ONCE):
        for _ in range(3 * AT_ONCE):
            taken = eventually(lambda: now if len(now := in_hand(gate)) == 2 * AT_ONCE else [])
            assert set(Counter(process for process, _ in taken).values()) == {AT_ONCE}
            (gate / taken[0][1]).touch()
            eventually(lambda: taken[0] not in in_hand(gate))  # noqa: B023


def test_who_does_not_hang_up_keeps_nobody_waiting(serve: Serve) -> None:
    host, _, port = serve("tests.support.unhurried_server").removeprefix("http://").partition(":")
    with ExitStack() as kept:
        for _ in range(8):
            client = kept.enter_context(socket.create_connection((host, int(port)), timeout=HANGS))
            client.sendall(b"GET / HTTP/1.1\r\nHost: panel\r\n\r\n")
            assert client.recv(4096).startswith(b"HTTP/1.1 200")


def test_those_that_take_long_leave_room_for_others(serve: Serve, gate: Path) -> None:
    address = serve("service.admin.server")
    with asked(address, gate, 5 * AT_ONCE) as slow:
        assert ask(f"{address}/") == b"Done."
        eventually(lambda: len(in_hand(gate)) == len(slow))
        assert not any(one.done() for one in slow)
