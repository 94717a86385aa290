"""Entrypoints and commands as real processes, the way an operator starts them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote, urlencode

import httpx

from service.url import ROOT, DatabaseUrl

# Settings of the machine that runs the tests must not reach the processes under test.
_KEPT = ("HOME", "LANG", "TMPDIR", "PYTHONDONTWRITEBYTECODE")
# Seconds. Only what hangs takes so long, however slow the machine is and whatever else it does: a generous limit costs
# nothing when all is well.
HANGS = 60.0


def environment(url: DatabaseUrl, **settings: str) -> dict[str, str]:
    """A clean environment with the virtual environment's commands first on the path."""
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    path = f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin"
    return kept | {"PATH": path, "PYTHONUNBUFFERED": "1", "WORKER_PORT": "0", "DATABASE_URL": as_text(url)} | settings


def as_text(url: DatabaseUrl) -> str:
    """The URL as every tool reads it."""
    if url.is_sqlite:
        return f"sqlite:///{url.name}"
    password = f":{quote(url.password)}" if url.password else ""
    options = f"?{urlencode(url.options)}" if url.options else ""
    return f"postgresql://{quote(url.user)}{password}@{url.host}:{url.port}/{quote(url.name)}{options}"


def run(*command: str, env: Mapping[str, str], seconds: float = HANGS) -> subprocess.CompletedProcess[str]:
    """Wait for the command and its output; past its time, it ends with all that it has started."""
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env=env,
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        try:
            output, problems = process.communicate(timeout=seconds)
        finally:
            _kill_group(process.pid)
    return subprocess.CompletedProcess(command, process.returncode, output, problems)


class Process:
    """A process in the background, with everything that it has said so far."""

    def __init__(self, *command: str, env: Mapping[str, str], log: Path) -> None:
        self._log = log
        with log.open("wb") as file:
            self._popen = subprocess.Popen(
                command,
                cwd=ROOT,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self._popen.pid

    @property
    def output(self) -> str:
        return self._log.read_text(errors="replace")

    def says(self, text: str) -> None:
        """Wait until the text appears in the output; a process that ends without it fails the test at once."""
        eventually(lambda: text in self.output or self._popen.poll() is not None)
        assert text in self.output, f"{text!r} is not in: {self.output}"

    def serves(self, port: int) -> None:
        """Wait until the panel takes requests; one that ends instead fails the test at once, with what it said."""
        eventually(lambda: answer(port, "/readyz") == 200 or self._popen.poll() is not None)
        assert self._popen.poll() is None, self.output

    def ended(self) -> int:
        """Wait for the end by itself; the exit code."""
        return self._popen.wait(HANGS)

    def terminated(self) -> int:
        """Send TERM, as Docker does; the exit code."""
        self._popen.terminate()
        return self._popen.wait(HANGS)

    def interrupted(self) -> int:
        """Ctrl-C, as a terminal sends it: to everybody in the foreground at once."""
        os.killpg(self._popen.pid, signal.SIGINT)
        return self._popen.wait(HANGS)

    def clean_up(self) -> None:
        """Leave nothing behind, whatever the test made of it. TERM first: a supervisor ends what it supervises."""
        try:
            self._popen.terminate()
            self._popen.wait(HANGS)
        except subprocess.TimeoutExpired:
            pass
        finally:
            _kill_group(self._popen.pid)
            self._popen.wait()


def _kill_group(leader: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(leader, signal.SIGKILL)


Start = Callable[..., Process]
Found = TypeVar("Found")


def eventually(holds: Callable[[], Found]) -> Found:
    """Wait until it holds, and give back what was found then."""
    deadline = time.monotonic() + HANGS
    while not (found := holds()):
        assert time.monotonic() < deadline, f"it did not come true within {HANGS:g} s"
        time.sleep(0.02)
    return found


def answer(port: int, path: str) -> int:
    """The status code of a page, or 0 when nobody listens."""
    try:
        return httpx.get(f"http://127.0.0.1:{port}{path}").status_code
    except httpx.TransportError:
        return 0
