"""A deploy that is told to stop, as Ctrl-C and `docker stop` do it: it ends at once, and its last line says where."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from service.migrate import interrupt
from service.migrate.connection import Connection, connect
from service.migrate.lock import deploy_lock
from service.url import DatabaseUrl
from tests.support.migrations import applied, rows, table, tables, write
from tests.support.processes import HANGS, environment, eventually

DEPLOY = [sys.executable, "-m", "service.migrate.cli", "--dir"]
STEPS = "atomic = False"
SIGNALS = pytest.mark.parametrize(
    ("number", "code", "words"),
    [(signal.SIGINT, 130, "Interrupted"), (signal.SIGTERM, 143, "Stopped by SIGTERM")],
    ids=["ctrl-c", "term"],
)


class Deploy:
    """A process that is in the middle of a statement which takes minutes; `marker` says that it has come so far."""

    def __init__(self, url: DatabaseUrl, folder: Path, *words: str) -> None:
        self.url, self.folder, self.words = url, folder, words or ("deploy",)
        self.marker = folder.parent / "reached"

    @property
    def forever(self) -> str:
        endless = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n"
        statement = endless if self.url.is_sqlite else "SELECT pg_sleep(300)"
        return f'migrator.run(open, {str(self.marker)!r}, "w")\nmigrator.sql("{statement}")'

    def stopped(self, number: int) -> tuple[int, str]:
        """Its exit code, and what it said last."""
        with self.running() as process:
            process.send_signal(number)
            out, said = process.communicate(timeout=HANGS)
        assert "Traceback" not in said, said
        return process.returncode, (out + said).splitlines()[-1]

    @contextmanager
    def running(self) -> Iterator[subprocess.Popen[str]]:
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        words = [*DEPLOY, str(self.folder), *self.words]
        with subprocess.Popen(words, env=environment(self.url), text=True, **pipes) as process:  # type: ignore[call-overload]
            try:
                eventually(self.marker.exists)
                eventually(self._is_at_work)
                yield process
            finally:
                process.kill()

    def _is_at_work(self) -> bool:
        """Past reading the file, in which the marker may stand too, and past the step in which it may stand."""
        if self.url.is_sqlite:
            return "migratejournal" in tables(self.url) and bool(rows(self.url, _RUNNING))
        return bool(rows(self.url, _SLEEPING))


_RUNNING = """
SELECT 1 FROM migratejournal WHERE migration = '002_b' AND state = 'running' AND (steps = 0 OR step = steps - 1)
"""
_SLEEPING = "SELECT 1 FROM pg_stat_activity WHERE query LIKE '%pg_sleep(300)%' AND pid <> pg_backend_pid()"


@pytest.fixture
def deploy(database_url: DatabaseUrl, tmp_path: Path) -> Deploy:
    deploy = Deploy(database_url, tmp_path / "m")
    write(deploy.folder, "001_a", table("a"))
    return deploy


@SIGNALS
def test_the_migration_at_work_is_named_and_nothing_of_it_remains(
    deploy: Deploy, number: int, code: int, words: str
) -> None:
    write(deploy.folder, "002_b", f"{table('b')}\n{deploy.forever}")
    assert deploy.stopped(number) == (
        code,
        f"{words} in 002_b; what it did was rolled back, and the next `migrate deploy` does it anew.",
    )
    assert applied(deploy.url) == ["001_a"]
    assert "b" not in tables(deploy.url)
    journal = "SELECT state, error FROM migratejournal WHERE migration = '002_b'"
    assert rows(deploy.url, journal)[0][0] == "failed"


@SIGNALS
def test_of_steps_it_says_which_stand(deploy: Deploy, number: int, code: int, words: str) -> None:
    write(deploy.folder, "002_b", f"{table('b')}\n{deploy.forever}", top=STEPS)
    assert deploy.stopped(number) == (
        code,
        f"{words} in 002_b, step 3 of 3; it is not atomic: steps 1 to 2 of 3 stand, and the next deploy goes on after "
        "them.",
    )
    assert "b" in tables(deploy.url)


def test_before_the_first_step_there_is_nothing_to_go_on_after(deploy: Deploy) -> None:
    write(deploy.folder, "002_b", deploy.forever.partition("\n")[2], top=f"{STEPS}\nopen({str(deploy.marker)!r}, 'w')")
    assert deploy.stopped(signal.SIGTERM) == (
        143,
        "Stopped by SIGTERM in 002_b; nothing of it stands yet, and the next `migrate deploy` begins with it.",
    )


def test_a_rollback_is_told_to_stop_in_the_same_words(deploy: Deploy) -> None:
    write(deploy.folder, "002_b", table("b"), deploy.forever)
    subprocess.run([*DEPLOY, str(deploy.folder), "deploy"], env=environment(deploy.url), check=True)
    deploy.words = ("rollback", "--yes")
    assert deploy.stopped(signal.SIGTERM) == (
        143,
        "Stopped by SIGTERM in the rollback of 002_b; what it did was rolled back, and the next `migrate rollback` "
        "does it anew.",
    )
    assert applied(deploy.url) == ["001_a", "002_b"]


def test_who_waits_for_another_deploy_says_so_too(deploy: Deploy) -> None:
    with deploy_lock(deploy.url, seconds=HANGS, on_wait=lambda _holder, _seconds: None):
        words = [*DEPLOY, str(deploy.folder), "deploy"]
        with subprocess.Popen(words, env=environment(deploy.url), stderr=subprocess.PIPE, text=True) as process:
            assert process.stderr
            assert process.stderr.readline().startswith("Waiting for another deploy")
            process.terminate()
            _, said = process.communicate(timeout=HANGS)
    assert (process.returncode, said) == (143, "Stopped by SIGTERM; what was running is rolled back.\n")


def test_what_was_committed_when_the_signal_came_is_told_as_done(deploy: Deploy) -> None:
    write(deploy.folder, "002_b", SIGNAL_AFTER_COMMIT)
    (deploy.folder / "003_c.sql").write_text("CREATE TABLE c (id INTEGER)")
    done = subprocess.run(
        [*DEPLOY, str(deploy.folder), "deploy"], env=environment(deploy.url), capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (
        143,
        "Stopped by SIGTERM after 003_c, which is applied; the next `migrate deploy` goes on from there.\n",
    )
    assert applied(deploy.url) == ["001_a", "002_b", "003_c"]
    assert rows(deploy.url, "SELECT DISTINCT state FROM migratejournal") == [("done",)]


# In the process itself, since from outside nobody could hit the moment after COMMIT.
SIGNAL_AFTER_COMMIT = """
from service.migrate import connection
import os, signal
execute, said = connection.Connection.execute, []
def and_then(self, sql, parameters=()):
    cursor = execute(self, sql, parameters)
    said.append(sql)
    if "COMMIT" in sql and "CREATE TABLE c (id INTEGER)" in said:
        os.kill(os.getpid(), signal.SIGTERM)
    return cursor
connection.Connection.execute = and_then
"""


def test_a_second_signal_ends_it_at_once(deploy: Deploy) -> None:
    write(deploy.folder, "002_b", STUBBORN.format(marker=str(deploy.marker)))
    with subprocess.Popen(
        [*DEPLOY, str(deploy.folder), "deploy"], env=environment(deploy.url), stdout=subprocess.PIPE, text=True
    ) as process:
        eventually(deploy.marker.exists)
        process.terminate()
        assert process.stdout
        while process.stdout.readline() != "still here\n":
            assert process.poll() is None
        process.terminate()
        assert process.wait(HANGS) == -signal.SIGTERM


# A migration that clears up after itself for longer than anybody wants to wait.
STUBBORN = """
import time
def stubborn():
    try:
        open({marker!r}, "w").close()
        time.sleep(300)
    finally:
        print("still here", flush=True)
        time.sleep(300)
migrator.run(stubborn)
"""


def test_a_deploy_that_is_no_process_of_its_own_leaves_signals_alone(deploy: Deploy) -> None:
    from service.migrate.cli import main
    from tests.support.processes import as_text

    words = ["--database-url", as_text(deploy.url), "--dir", str(deploy.folder), "deploy"]
    codes: list[int] = []
    thread = threading.Thread(target=lambda: codes.append(main(words)))
    thread.start()
    thread.join(HANGS)
    assert codes == [0]
    connection = connect(deploy.url)
    assert connection.execute("SELECT count(*) FROM a").fetchone() == (0,)
    connection.close()
    assert main(words) == 0
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_a_signal_within_a_question_of_the_runner_leaves_the_journal_in_order(deploy: Deploy) -> None:
    """On SQLite a question that is interrupted and not read to its end keeps all that come after it interrupted."""
    write(deploy.folder, "002_b", f"{table('b')}\n{SIGNAL_WITHIN_CLAIM}")
    words = [*DEPLOY, str(deploy.folder), "deploy"]
    done = subprocess.run(words, env=environment(deploy.url), capture_output=True, text=True, timeout=HANGS)
    assert (done.returncode, done.stderr) == (
        143,
        "Stopped by SIGTERM in 002_b; what it did was rolled back, and the next `migrate deploy` does it anew.\n",
    )
    assert rows(deploy.url, "SELECT state FROM migratejournal ORDER BY id") == [("done",), ("failed",)]


SIGNAL_WITHIN_CLAIM = """
from service.migrate.applying import claim
import os, signal
def cut_off(connection, *_, **__):
    cursor = connection.execute("SELECT name FROM migratehistory UNION ALL SELECT 'another' ORDER BY 1")
    cursor.fetchone()
    connection.raw.interrupt() if connection.is_sqlite else connection.raw.cancel()
    os.kill(os.getpid(), signal.SIGTERM)
    cursor.fetchall()
claim._look = cut_off
"""


def test_a_signal_within_a_finalizer_is_not_lost(deploy: Deploy) -> None:
    """Python says that it ignores what the handler raises there, and goes on."""
    write(deploy.folder, "002_b", f"{FINALIZER}\n{deploy.forever}")
    words = [*DEPLOY, str(deploy.folder), "deploy"]
    done = subprocess.run(words, env=environment(deploy.url), capture_output=True, text=True, timeout=HANGS)
    assert "Exception ignored in" in done.stderr
    assert (done.returncode, done.stderr.splitlines()[-1]) == (
        143,
        "Stopped by SIGTERM in 002_b; what it did was rolled back, and the next `migrate deploy` does it anew.",
    )
    assert applied(deploy.url) == ["001_a"]


FINALIZER = """
import os, signal
class Finalized:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGTERM)
migrator.run(Finalized)
"""


class Deaf(sqlite3.Connection):
    """As if it had been interrupted a moment before its statement ran."""

    interrupted = 0

    def interrupt(self) -> None:
        self.interrupted += 1
        if self.interrupted > 1:
            super().interrupt()


def test_a_statement_that_was_only_about_to_run_is_ended_too(sqlite_url: DatabaseUrl) -> None:
    raw = sqlite3.connect(sqlite_url.name, factory=Deaf, check_same_thread=False)
    seconds = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 5e7) SELECT count(*) FROM n"

    def run() -> None:
        threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGTERM)).start()
        raw.execute(seconds).fetchall()

    with pytest.raises(interrupt.Stop), interrupt.raised(), interrupt.heard(Connection(raw, sqlite_url)):
        run()
    assert raw.interrupted > 1
    with interrupt.heard(Connection(raw, sqlite_url)):  # a signal is past with the command that it told to stop
        assert raw.execute("SELECT 7").fetchall() == [(7,)]
    raw.close()
