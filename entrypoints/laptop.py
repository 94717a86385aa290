"""Panel and worker side by side in one terminal, for `make run`: honcho, and what honcho leaves out."""

from __future__ import annotations

import os
import signal
import socket
import sys
from pathlib import Path
from types import FrameType

import honcho.command

ROOT = Path(__file__).resolve().parents[1]
STOPPED_BY_CTRL_C = 130


def main(port: str) -> int:
    if trouble := trouble_with(port):
        sys.stderr.write(f"{trouble}\n")
        return 2
    sys.stdout.write(f"Slipway: http://127.0.0.1:{port}  (Ctrl-C stops it)\n")
    sys.stdout.flush()
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as under nohup
        signal.signal(signal.SIGHUP, hang_up)
    os.environ.setdefault("WORKER_PORT", str((int(port) + 1) % 65_536))  # 0 is none
    try:
        honcho.command.main(["start", "-e", os.devnull, "-f", str(ROOT / "entrypoints" / "Procfile"), "-p", port])
    except SystemExit as end:
        return 0 if end.code == STOPPED_BY_CTRL_C else int(end.code or 0)
    return 0


def trouble_with(port: str) -> str:
    """Why nobody can listen there; empty when the panel can."""
    if not (port.isdecimal() and 0 < int(port) < 65_536):
        return f"PORT is {port!r}; use a number from 1 to 65535, such as 8000."
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as gunicorn does: what is closing is no obstacle
        try:
            probe.bind(("127.0.0.1", int(port)))
        except OSError as error:
            return f"Port {port} can't be used: {error.strerror}. Take another, as in: make run PORT=9000"
    return ""


def hang_up(_number: int, _frame: FrameType | None) -> None:
    """The terminal was closed. What honcho started lives in sessions of its own and has not noticed; and honcho would
    stop over its next line of output, before it has ended them."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.dup2(nowhere, sys.stderr.fileno())
    signal.raise_signal(signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
