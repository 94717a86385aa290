"""`make run`, as a developer types it, on the packages that are installed already."""

from __future__ import annotations

import re
import stat
import sys

from service.url import ROOT, DatabaseUrl
from tests.support.postgresql import free_port
from tests.support.processes import Process, Start, answer, environment, eventually
from tests.support.visitor import Visitor


def make_run(start: Start, url: DatabaseUrl, port: int) -> Process:
    already_installed = f"{sys.prefix}/.installed"
    return start(*("make", "-o", already_installed, "run", f"VENV={sys.prefix}", f"PORT={port}"), env=environment(url))


def test_two_words_bring_up_everything_and_ctrl_c_ends_it(sqlite_url: DatabaseUrl, start: Start) -> None:
    port = free_port()
    service = make_run(start, sqlite_url, port)
    service.says(f"http://127.0.0.1:{port}")
    password = re.search(r"shown only this once: (\S+)", service.output)
    assert password
    eventually(lambda: answer(port, "/readyz") == 200)
    with Visitor(f"http://127.0.0.1:{port}") as visitor:
        visitor.sign_in("admin@example.com", password[1])
        assert "Ahoy" in visitor.talk("Ahoy")
    service.interrupted()
    assert answer(port, "/healthz") == 0
    assert "sending SIGKILL" not in service.output


def test_a_second_run_starts_again_and_shows_no_password(service_database: DatabaseUrl, start: Start) -> None:
    port = free_port()
    first = make_run(start, service_database, port)
    eventually(lambda: answer(port, "/readyz") == 200)
    first.interrupted()
    second = make_run(start, service_database, port)
    eventually(lambda: answer(port, "/readyz") == 200, seconds=10)
    assert "only this once" not in second.output


def test_the_key_that_signs_sessions_is_for_its_owner_only(sqlite_url: DatabaseUrl, start: Start) -> None:
    make_run(start, sqlite_url, free_port()).says("http://127.0.0.1")
    assert stat.S_IMODE((ROOT / "data" / "secret_key").stat().st_mode) == 0o600
