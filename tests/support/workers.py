"""Worker processes, started and ended by the tests."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from service.url import ROOT, DatabaseUrl
from tests.support.processes import HANGS, as_text

LONG = str(10 * HANGS)


@dataclass
class Workers:
    """Starts workers on one database; all share one gate and one log. What they hold, they hold for as long as a test
    may take: only a test of what becomes of it asks for less."""

    url: DatabaseUrl
    folder: Path
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def gate(self) -> Path:
        return self.folder / "gate"

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()

    def start(self, **environ: str) -> subprocess.Popen[bytes]:
        self.gate.mkdir(exist_ok=True)
        settings = {
            "PATH": os.environ["PATH"],
            "DATABASE_URL": as_text(self.url),
            "LEASE_SECONDS": LONG,
            "TEST_GATE": str(self.gate),
            "TEST_DRAIN_SECONDS": LONG,
            "TEST_GRACE_SECONDS": LONG,
            "TEST_HOLD_SECONDS": LONG,
            "WORKER_PORT": "0",
        }
        with (self.folder / "log").open("ab") as log:
            command = [sys.executable, "-m", "tests.support.gated_worker"]
            process = subprocess.Popen(command, cwd=ROOT, env=settings | environ, stdout=log, stderr=log)
        self.processes.append(process)
        return process

    def open_gate(self) -> None:
        (self.gate / "open").touch()

    def at_work(self) -> list[tuple[int, str]]:
        """Which process has begun which question."""
        begun = (path.name.split(" ", 1) for path in self.gate.iterdir() if " " in path.name)
        return sorted((int(process), question) for process, question in begun)


@contextmanager
def workers(url: DatabaseUrl, folder: Path) -> Iterator[Workers]:
    started = Workers(url, folder)
    try:
        yield started
    finally:
        for process in started.processes:
            process.kill()
            process.wait()
