"""The panel in two processes, told apart by stopping one of them: what one knows, the other has to know."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from service.url import DatabaseUrl
from tests.support.panel import EMAIL, ONE_ENGINE, PASSWORD, add_user
from tests.support.postgresql import free_port
from tests.support.processes import HANGS, Process, Start, environment, eventually
from tests.support.visitor import Visitor


@pytest.fixture
def port(service_database: DatabaseUrl) -> int:
    add_user()
    return free_port()


@pytest.fixture
def panel(port: int, service_database: DatabaseUrl, start: Start) -> Process:
    """Without a key of the operator's, so that the processes have to agree on one."""
    panel = start("entrypoints/admin-panel.sh", env=environment(service_database, PORT=str(port), WEB_CONCURRENCY="2"))
    panel.serves(port)
    eventually(lambda: len(children(panel)) == 2)
    return panel


def children(panel: Process) -> list[int]:
    return [int(number) for number in Path(f"/proc/{panel.pid}/task/{panel.pid}/children").read_text().split()]


@contextmanager
def held(process: int) -> Iterator[None]:
    os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(process, signal.SIGCONT)


def signed_in(port: int) -> dict[str, str]:
    with Visitor(f"http://127.0.0.1:{port}") as visitor:
        visitor.sign_in(EMAIL, PASSWORD)
        return {"Cookie": visitor.cookie}


@ONE_ENGINE
def test_who_has_signed_in_at_one_process_is_known_to_the_other(panel: Process, port: int) -> None:
    first, second = children(panel)
    with held(first):
        headers = signed_in(port)
    with held(second):
        assert httpx.get(f"http://127.0.0.1:{port}/account/", headers=headers, timeout=HANGS).status_code == 200


@ONE_ENGINE
def test_an_address_may_hold_as_much_as_the_fields_of_a_filter_take(panel: Process, port: int) -> None:
    address = f"http://127.0.0.1:{port}/studio/rows/messages"
    wanted = {"column": "content", "op": "contains", "value": "م" * 1000}
    asked = httpx.get(address, params=wanted, headers=signed_in(port), timeout=HANGS)
    assert asked.status_code == 200, panel.output


@ONE_ENGINE
def test_a_process_that_dies_is_replaced_and_nobody_has_to_sign_in_again(panel: Process, port: int) -> None:
    headers, (first, second) = signed_in(port), children(panel)
    os.kill(first, signal.SIGKILL)
    eventually(lambda: len(set(children(panel)) - {first}) == 2)
    with held(second):
        assert httpx.get(f"http://127.0.0.1:{port}/account/", headers=headers, timeout=HANGS).status_code == 200


@ONE_ENGINE
def test_both_processes_end_with_the_panel(panel: Process) -> None:
    processes = children(panel)
    assert panel.terminated() == 0
    # One that had to be killed is there for a moment longer.
    eventually(lambda: not [process for process in processes if Path(f"/proc/{process}").exists()])
