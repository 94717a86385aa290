"""One deploy at a time. The lock is a courtesy that saves work and noise: correctness comes from the unique name
that each migration claims inside its own transaction."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from service.migrate import connection
from service.migrate.connection import HOST, Connection, Statement
from service.migrate.errors import LockUnavailable, Refused
from service.migrate.waits import Wait
from service.url import MEMORY, DatabaseUrl

# Two numbers of our own: advisory locks are shared by everybody who uses the database.
KEY = (1936484719, 1835624306)
# What would end the lock's own transaction; the second is known from this version on.
_LIMITS, _LIMITS_TRANSACTIONS = ("idle_in_transaction_session_timeout", "transaction_timeout"), 170000
_BEGIN = "BEGIN ISOLATION LEVEL READ COMMITTED"
_PAUSE = 0.25
_TELL_EVERY = 10.0
JUST_STARTED, JUST_FINISHED = "just started", "just finished"

OnWait = Callable[[str, float], None]


@contextmanager
def deploy_lock(url: DatabaseUrl, *, seconds: float, on_wait: OnWait) -> Iterator[tuple[Wait, ...]]:
    """Hold the lock for the time of the block; wait up to `seconds` for it, telling `on_wait` who has it and for how
    long we have waited. Gives what it waited. Dies with the process. Raises LockUnavailable."""
    if url.name == MEMORY and url.is_sqlite:
        yield ()
    elif url.is_sqlite:
        with _file_lock(Path(url.name), seconds, on_wait) as waited:
            yield waited
    else:
        with _advisory_lock(url, seconds, on_wait) as waited:
            yield waited


def holder(database: Connection) -> str:
    """Who has the lock now; an empty text where nobody has. Takes nothing and makes nothing."""
    if database.is_sqlite:
        return _file_holder(Path(f"{database.url.name}.migrate-lock"))
    return _advisory_holder(database)


def _file_holder(path: Path) -> str:
    import fcntl

    if not path.exists():
        return ""
    with path.open(encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return file.read() or JUST_STARTED
    return ""


@contextmanager
def _advisory_lock(url: DatabaseUrl, seconds: float, on_wait: OnWait) -> Iterator[tuple[Wait, ...]]:
    """Held by a transaction of a connection of its own, so that it survives neither the process nor a transaction
    pooler's reuse of the server; polled, because a blocked waiter deadlocks with CREATE INDEX CONCURRENTLY."""
    database = connection.connect(url, application=f"{connection.APPLICATION}-lock")
    try:
        yield _poll(
            lambda: _try_advisory(database), lambda: _advisory_holder(database) or JUST_FINISHED, seconds, on_wait
        )
    finally:
        database.close()


def _try_advisory(database: Connection) -> bool:
    """In a transaction that keeps no snapshot, whatever this user's begin with: CREATE INDEX CONCURRENTLY waits for all
    older ones, and would wait for that of its own deploy for ever."""
    limits = _LIMITS if database.raw.server_version >= _LIMITS_TRANSACTIONS else _LIMITS[:1]
    patient: list[Statement] = [(f"SET LOCAL {limit} = 0", ()) for limit in limits]
    asked = database.execute_all((_BEGIN, ()), *patient, ("SELECT pg_try_advisory_xact_lock(?, ?)", KEY))
    if asked.fetchone()[0]:
        return True
    database.execute("ROLLBACK")
    return False


def _advisory_holder(database: Connection) -> str:
    row = database.execute(
        "SELECT a.pid, a.application_name FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid"
        " WHERE l.locktype = 'advisory' AND l.granted AND l.classid = ? AND l.objid = ?"
        " AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())",
        KEY,
    ).fetchone()
    return f"{row[1] or 'unnamed'}, server process {row[0]}" if row else ""


@contextmanager
def _file_lock(path: Path, seconds: float, on_wait: OnWait) -> Iterator[tuple[Wait, ...]]:
    """flock on a file beside the database. The file stays: removing it would let two processes lock two files."""
    import fcntl

    path.parent.mkdir(parents=True, exist_ok=True)
    with _opened(path.with_name(f"{path.name}.migrate-lock")) as file:

        def try_lock() -> bool:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            file.truncate(0)
            file.write(f"process {os.getpid()} on {HOST}")
            file.flush()
            return True

        def holder() -> str:
            file.seek(0)
            return file.read() or JUST_STARTED

        yield _poll(try_lock, holder, seconds, on_wait)


def _opened(path: Path) -> TextIO:
    try:
        return path.open("a+", encoding="utf-8")
    except PermissionError:
        if not path.exists():
            raise
        raise Refused(
            f"The file of the lock belongs to another user, who has deployed here before: `ls -l {path}`. Give it to "
            "this one with `chown`, and the database with it."
        ) from None


def _poll(try_once: Callable[[], bool], holder: Callable[[], str], seconds: float, on_wait: OnWait) -> tuple[Wait, ...]:
    began = next_word = time.monotonic()
    whom = ""
    while not try_once():
        now = time.monotonic()
        if now - began >= seconds:
            raise LockUnavailable(holder(), now - began)
        if now >= next_word:
            whom = holder()
            on_wait(whom, now - began)
            next_word = now + _TELL_EVERY
        from random import uniform  # here: hardly any deploy has to wait

        time.sleep(_PAUSE * uniform(0.5, 1.5))  # noqa: S311  # jitter, not a secret
    return (Wait("deploy", round(time.monotonic() - began, 3), (whom,)),) if whom else ()
