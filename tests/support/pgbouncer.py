"""A real PgBouncer in transaction mode before a PostgreSQL server."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from service.url import DatabaseUrl
from tests.support.postgresql import connect, free_port
from tests.support.processes import HANGS

_SETTINGS = """
[databases]
* = {server}

[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 20
max_client_conn = 100
"""
# As for the server: it ends when its standard input closes, however the test run ended.
_WATCHED = '"$@" & pooler=$!; read -r _; kill -TERM "$pooler"; wait "$pooler"'


@contextmanager
def pgbouncer(url: DatabaseUrl) -> Iterator[DatabaseUrl]:
    """The same database through the pooler, which has the server's others too. Skips the test where PgBouncer is not
    installed."""
    program = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        pytest.skip("PgBouncer is not installed: install the package pgbouncer to run this test.")
    folder = Path(tempfile.mkdtemp(prefix="slipway-pgbouncer-"))
    settings, port = folder / "pgbouncer.ini", free_port()
    given = {key: value for key, value in url.libpq().items() if key not in ("client_encoding", "dbname")}
    server = " ".join(f"{key}={value}" for key, value in given.items())
    settings.write_text(_SETTINGS.format(server=server, port=port))
    process = _started(program, settings)
    pooled = url._replace(host="127.0.0.1", port=port, options=())
    try:
        _await_answer(process, pooled)
        yield pooled
    finally:
        process.communicate()
        shutil.rmtree(folder)


def _started(program: str, settings: Path) -> subprocess.Popen[bytes]:
    """It refuses to run as root."""
    account: dict[str, Any] = {}
    if os.geteuid() == 0:
        shutil.chown(settings.parent, "nobody")
        account = {"user": "nobody", "extra_groups": ()}
    return subprocess.Popen(
        ["/bin/sh", "-c", _WATCHED, "sh", program, "-q", str(settings)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
        **account,
    )


def _await_answer(process: subprocess.Popen[bytes], pooled: DatabaseUrl) -> None:
    deadline = time.monotonic() + HANGS
    while time.monotonic() < deadline:
        with suppress(psycopg2.OperationalError):
            connect(pooled).close()
            return
        time.sleep(0.05)
    problems = process.communicate()[1].decode()
    pytest.fail(f"PgBouncer does not answer: {problems}")
