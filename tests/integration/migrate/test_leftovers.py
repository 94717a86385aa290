"""Server sessions that the deploys before have left: which are ended, which are waited for and which are let be."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from service.migrate import heal
from service.migrate.connection import HOST, Connection, connect
from service.url import DatabaseUrl
from tests.support.migrations import rows
from tests.support.processes import HANGS, eventually

ELSEWHERE = "another-host"
SOME = 4711


def dead() -> int:
    """A process that was here, and is gone."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        return process.pid


@contextmanager
def session(url: DatabaseUrl, name: str, *, is_working: bool) -> Iterator[Connection]:
    """What a deploy of that name has left on the server."""
    left = connect(url)
    left.execute("SELECT set_config('application_name', ?, false)", [name])
    if is_working:
        left.execute("BEGIN")
    try:
        yield left
    finally:
        left.close()


def is_there(url: DatabaseUrl, left: Connection) -> bool:
    return bool(rows(url, "SELECT 1 FROM pg_stat_activity WHERE pid = ?", [left.raw.info.backend_pid]))


def deploy_of(host: str, process: object) -> str:
    return f"{heal.APPLICATION} {host}/{process}"


@pytest.fixture
def database(postgresql_url: DatabaseUrl) -> Iterator[Connection]:
    database = connect(postgresql_url)
    yield database
    database.close()


@pytest.fixture
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever has a transaction works for longer than a deploy that only looks."""
    monkeypatch.setattr(heal, "_WORKING", -1.0)


ENDED: dict[str, tuple[Callable[[], str], bool]] = {
    "of a dead process": (lambda: deploy_of(HOST, dead()), True),
    "of a dead process, without a transaction": (lambda: deploy_of(HOST, dead()), False),
    "of another host": (lambda: deploy_of(ELSEWHERE, SOME), True),
    "of another host, where the number is that of a process here": (lambda: deploy_of(ELSEWHERE, os.getppid()), True),
    "of a process with our own number, as in a container": (lambda: deploy_of(HOST, os.getpid()), True),
    "of a process whose number was cut off": (lambda: deploy_of(HOST, "x"), True),
}
LET_BE: dict[str, tuple[Callable[[], str], bool]] = {
    "of a process that lives": (lambda: deploy_of(HOST, os.getppid()), True),
    "of another host, without a transaction": (lambda: deploy_of(ELSEWHERE, SOME), False),
    "of our own number, without a transaction": (lambda: deploy_of(HOST, os.getpid()), False),
    "of somebody who only reads": (lambda: f"slipway-migrate {HOST}/{dead()}", True),
}


@pytest.mark.usefixtures("_at_once")
@pytest.mark.parametrize("whose", ENDED)
def test_what_works_for_nobody_any_more_is_ended(postgresql_url: DatabaseUrl, database: Connection, whose: str) -> None:
    name, is_working = ENDED[whose]
    with session(postgresql_url, called := name(), is_working=is_working) as left:
        told = [f"server process {left.raw.info.backend_pid} ({called})"] if is_working else []
        assert heal.end_leftovers(database) == told
        eventually(lambda: not is_there(postgresql_url, left))


@pytest.mark.usefixtures("_at_once")
@pytest.mark.parametrize("whose", LET_BE)
def test_what_may_be_at_work_is_let_be(postgresql_url: DatabaseUrl, database: Connection, whose: str) -> None:
    name, is_working = LET_BE[whose]
    with session(postgresql_url, name(), is_working=is_working) as left:
        assert heal.end_leftovers(database) == []
        assert is_there(postgresql_url, left)


def test_one_that_has_just_begun_is_waited_for(
    postgresql_url: DatabaseUrl, database: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be a deploy that only looks, which is over sooner."""
    monkeypatch.setattr(heal, "_WORKING", 3600.0)
    with session(postgresql_url, deploy_of(ELSEWHERE, SOME), is_working=True) as left:
        monkeypatch.setattr("time.sleep", lambda _seconds: left.execute("COMMIT"))
        assert heal.end_leftovers(database) == []
        assert not left.is_in_transaction
        assert is_there(postgresql_url, left)


def test_and_not_for_ever(postgresql_url: DatabaseUrl, database: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heal, "_WORKING", 3600.0)
    monkeypatch.setattr(heal, "_PATIENCE", 0.3)
    with session(postgresql_url, deploy_of(ELSEWHERE, SOME), is_working=True) as left:
        assert heal.end_leftovers(database) == []
        assert is_there(postgresql_url, left)


def test_an_idle_session_of_a_pooler_is_of_use_to_others(postgresql_url: DatabaseUrl, database: Connection) -> None:
    database.__dict__["is_pooled"] = True
    with session(postgresql_url, deploy_of(HOST, dead()), is_working=False) as left:
        assert heal.end_leftovers(database) == []
        assert is_there(postgresql_url, left)


def test_the_sessions_of_a_deploy_that_was_overtaken_are_ended_and_awaited(
    postgresql_url: DatabaseUrl, database: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also within a transaction, which would see the sessions of its beginning for ever."""
    monkeypatch.setattr(heal, "_PATIENCE", 10 * HANGS)
    began = time.monotonic()
    sleep = time.sleep

    def pause(seconds: float) -> None:
        assert time.monotonic() - began < HANGS, "it is waited for, although it is gone"
        sleep(seconds)

    monkeypatch.setattr("time.sleep", pause)
    with session(postgresql_url, deploy_of(ELSEWHERE, SOME), is_working=True) as left:
        with database.transaction():
            heal.end_sessions_of(database, ELSEWHERE, SOME)
        assert not is_there(postgresql_url, left)


def test_what_is_idle_of_it_holds_nothing_and_stays(
    postgresql_url: DatabaseUrl, database: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.sleep", lambda _seconds: pytest.fail("it was waited for"))
    with session(postgresql_url, deploy_of(ELSEWHERE, SOME), is_working=False) as left:
        heal.end_sessions_of(database, ELSEWHERE, SOME)
        assert is_there(postgresql_url, left)
