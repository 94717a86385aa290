"""Databases for the tests: always real ones, on both engines, each test with its own."""

from __future__ import annotations

import gc
import os
import shutil
import signal
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path

import flask
import pytest

from service.database import bind, proxy
from service.url import DatabaseUrl
from tests.support.kept import KeptDatabase, with_schema, without_tables
from tests.support.postgresql import Server, create_database, drop_database, running_server
from tests.support.schema import build_schema

ENGINES = ("sqlite", "postgresql")
MEMORY, ENOUGH = Path("/dev/shm"), 2 << 30  # bytes


def pytest_configure() -> None:
    """Databases come and go here by the thousand: where there is room, they are kept in memory and wait for no disk.
    Ctrl-C is heard by what the tests start, also where a shell that runs the tests in its background ignores it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if "TMPDIR" not in os.environ and is_roomy(MEMORY):
        os.environ["TMPDIR"] = tempfile.tempdir = str(MEMORY)


@pytest.hookimpl(wrapper=True, optionalhook=True)
def pytest_xdist_auto_num_workers() -> Generator[None, int, int]:
    """Three for each two processors: many a test waits for a lock, a lease or a process of its own."""
    processors = yield
    return processors * 3 // 2


def pytest_collection_finish() -> None:
    """What was imported stays to the end: the collector need not look at it again and again."""
    gc.collect()
    gc.freeze()


def is_roomy(folder: Path) -> bool:
    """Is there space, and may the programs that tests write be run from there?"""
    if not os.access(folder, os.W_OK):
        return False
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize > ENOUGH and not found.f_flag & os.ST_NOEXEC


@pytest.fixture(autouse=True)
def _every_answer_was_closed() -> Iterator[None]:
    """One that is read half and kept holds its request open, and the next test would ask the panel from within it."""
    yield
    assert not flask.has_app_context(), "close the answer, or read it to its end"


@pytest.fixture(scope="session")
def _session_server() -> Iterator[Server]:
    yield from running_server()


@pytest.fixture
def postgresql_server(_session_server: Server) -> Iterator[Server]:
    """The PostgreSQL server itself, to be stopped and started; it runs again for the next test."""
    yield _session_server
    _session_server.start()


@pytest.fixture
def sqlite_url(tmp_path: Path) -> DatabaseUrl:
    """An empty SQLite database of this test."""
    return DatabaseUrl("sqlite", str(tmp_path / "slipway.db"))


@pytest.fixture(scope="session")
def _kept_empty(_session_server: Server) -> Iterator[KeptDatabase]:
    kept = without_tables(_session_server)
    yield kept
    kept.drop()


@pytest.fixture
def postgresql_url(_kept_empty: KeptDatabase, postgresql_server: Server) -> DatabaseUrl:
    """An empty PostgreSQL database, for this test alone."""
    return _kept_empty.fresh()


@pytest.fixture(params=ENGINES)
def database_url(request: pytest.FixtureRequest) -> DatabaseUrl:
    """An empty database, once on each engine."""
    url: DatabaseUrl = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture(scope="session")
def _sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "slipway.db"
    build_schema(DatabaseUrl("sqlite", str(path)))
    return path


@pytest.fixture(scope="session")
def _postgresql_template(_session_server: Server) -> Iterator[str]:
    url = create_database(_session_server)
    build_schema(url)
    yield url.name
    drop_database(_session_server, url)


@pytest.fixture
def _copied_sqlite(_sqlite_template: Path, sqlite_url: DatabaseUrl) -> DatabaseUrl:
    shutil.copy(_sqlite_template, sqlite_url.name)
    return sqlite_url


@pytest.fixture(scope="session")
def _kept_postgresql(_session_server: Server, _postgresql_template: str) -> Iterator[KeptDatabase]:
    kept = with_schema(_session_server, _postgresql_template)
    yield kept
    kept.drop()


@pytest.fixture
def _copied_postgresql(_kept_postgresql: KeptDatabase, postgresql_server: Server) -> DatabaseUrl:
    return _kept_postgresql.fresh()


@pytest.fixture(params=ENGINES)
def service_database(request: pytest.FixtureRequest) -> Iterator[DatabaseUrl]:
    """A database with the full schema, once on each engine, with the models bound to it."""
    url: DatabaseUrl = request.getfixturevalue(f"_copied_{request.param}")
    bind(url)
    yield url
    proxy.obj.close()
