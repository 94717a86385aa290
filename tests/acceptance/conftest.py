"""Processes in the background that no test leaves behind."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.processes import Process, Start


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts a process in the background; whatever still runs at the end of the test is ended."""
    running: list[Process] = []

    def begin(*command: str, env: dict[str, str]) -> Process:
        running.append(Process(*command, env=env, log=tmp_path / f"{len(running)}.log"))
        return running[-1]

    yield begin
    for process in running:
        process.clean_up()
