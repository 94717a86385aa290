"""`make run`, as a developer types it, on the packages that are installed already."""

from __future__ import annotations

import os
import pty
import re
import select
import shlex
import signal
import socket
import stat
import sys
from pathlib import Path

from service.url import ROOT, DatabaseUrl
from tests.support.postgresql import free_port
from tests.support.processes import Process, Start, answer, environment, eventually, run
from tests.support.visitor import Visitor

# `-o`: what is installed already stays as it is.
MAKE_RUN = ("make", "-o", f"{sys.prefix}/.installed", "run", f"VENV={sys.prefix}")


def make_run(start: Start, url: DatabaseUrl, port: int) -> Process:
    return start(*MAKE_RUN, f"PORT={port}", env=environment(url))


def test_two_words_bring_up_everything_and_ctrl_c_ends_it(sqlite_url: DatabaseUrl, start: Start) -> None:
    port = free_port()
    service = make_run(start, sqlite_url, port)
    service.says(f"http://127.0.0.1:{port}")
    password = re.search(r"shown only this once: (\S+)", service.output)
    assert password
    service.serves(port)
    with Visitor(f"http://127.0.0.1:{port}") as visitor:
        visitor.sign_in("admin@example.com", password[1])
        assert "Ahoy" in visitor.talk("Ahoy")
    service.interrupted()
    assert answer(port, "/healthz") == 0
    assert "sending SIGKILL" not in service.output


def test_a_second_run_starts_again_and_shows_no_password(service_database: DatabaseUrl, start: Start) -> None:
    port = free_port()
    first = make_run(start, service_database, port)
    first.serves(port)
    first.interrupted()
    second = make_run(start, service_database, port)
    second.serves(port)
    assert "only this once" not in second.output


def test_the_data_is_for_its_owner_only(sqlite_url: DatabaseUrl, start: Start) -> None:
    port = free_port()
    make_run(start, sqlite_url, port).serves(port)
    assert stat.S_IMODE((ROOT / "data").stat().st_mode) == 0o700


class Screen:
    """What a terminal shows, without waiting for more of it."""

    def __init__(self, terminal: int) -> None:
        self._terminal, self._told = terminal, b""

    def told(self) -> bytes:
        while select.select([self._terminal], [], [], 0)[0]:
            self._told += os.read(self._terminal, 4096)
        return self._told


def test_closing_the_terminal_ends_panel_and_worker(sqlite_url: DatabaseUrl) -> None:
    port = free_port()
    shell, terminal = pty.fork()
    if shell == 0:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)  # the tests may run under nohup
        os.chdir(ROOT)
        # Under a shell, as a person's is: the kernel tells the shell, and with its end all in the foreground.
        typed = shlex.join([*MAKE_RUN, f"PORT={port}"])
        os.execvpe("sh", ["sh", "-c", f"{typed}; exit"], environment(sqlite_url))
    screen = Screen(terminal)
    eventually(lambda: b"bot: starting" in screen.told() and answer(port, "/healthz") == 200)
    started = re.findall(rb"started \(pid=(\d+)\)", screen.told())
    assert len(started) == 2
    os.close(terminal)
    eventually(lambda: not any(Path("/proc", pid.decode()).exists() for pid in started))
    assert answer(port, "/healthz") == 0
    os.waitpid(shell, 0)


def test_a_port_that_is_taken_is_told_before_anything_starts(sqlite_url: DatabaseUrl) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run(*MAKE_RUN, f"PORT={port}", env=environment(sqlite_url))
    assert f"Port {port} can't be used: Address already in use. Take another, as in: make run PORT=9000" in done.stderr
    assert "started" not in done.stdout
    assert done.returncode == 2


def test_a_port_that_is_none_is_told_in_a_sentence(sqlite_url: DatabaseUrl) -> None:
    done = run(*MAKE_RUN, "PORT=abc", env=environment(sqlite_url))
    assert "PORT is 'abc'; use a number from 1 to 65535, such as 8000." in done.stderr
