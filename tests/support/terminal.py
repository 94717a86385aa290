"""A command on a terminal, with somebody who answers its questions."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import time
from collections.abc import Mapping

from service.url import ROOT
from tests.support.processes import HANGS

_NOBODY: Mapping[str, str] = {}


def on_a_terminal(*command: str, env: Mapping[str, str], answers: Mapping[str, str] = _NOBODY) -> tuple[int, str]:
    """Its exit code, and all that was to be seen; `answers` are by the end of the question."""
    master, terminal = pty.openpty()
    with subprocess.Popen(
        command, cwd=ROOT, env=dict(env), stdin=terminal, stdout=terminal, stderr=terminal, start_new_session=True
    ) as process:
        os.close(terminal)
        try:
            return _watched(process, master, dict(answers))
        finally:
            process.kill()
            os.close(master)


def _watched(process: subprocess.Popen[bytes], master: int, answers: dict[str, str]) -> tuple[int, str]:
    seen, deadline = b"", time.monotonic() + HANGS
    while time.monotonic() < deadline and (piece := _read(master)):
        seen += piece
        for question in [question for question in answers if seen.endswith(question.encode())]:
            os.write(master, f"{answers.pop(question)}\n".encode())
    return process.wait(HANGS), seen.decode(errors="replace").replace("\r\n", "\n")


def _read(master: int) -> bytes:
    """What appears next; empty when the command has ended."""
    select.select([master], [], [], HANGS)
    try:
        return os.read(master, 4096)
    except OSError:  # how a terminal tells that nobody holds its other end
        return b""
