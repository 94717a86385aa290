"""How long each page of the panel takes on a database that has been busy for a year.

    .venv/bin/python -m benchmarks.pages [--messages 1000000] [--clients 8] [--requests 40] [--only PART…]

A real panel, started as its container starts it, on the tests' own PostgreSQL; so many clients ask for one page at the
same time, each the next as soon as it has the last. A time is what a client waits, from the request to the last byte;
"computing" is the panel's own processor time for one request, which other work on the machine hardly changes.
"""

from __future__ import annotations

import argparse
import itertools
import math
import os
import re
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from werkzeug.security import generate_password_hash

from service.admin import create_app
from service.config import Config
from service.database import connection
from service.models import User
from service.url import DatabaseUrl
from tests.support import population
from tests.support.pages import addresses
from tests.support.postgresql import create_database, drop_database, free_port, running_server
from tests.support.processes import Process, answer, as_text, environment, eventually
from tests.support.routes import furnish
from tests.support.schema import build_schema
from tests.support.visitor import Visitor

AIM_MS = 100
# The first ones of each client fill the caches of both processes.
WARMING = 3
BUFFER = 1 << 18
LENGTH = re.compile(rb"\r\nContent-Length: (\d+)")


class Panel(NamedTuple):
    port: int
    cookie: str
    process: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=population.Size().messages)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--requests", type=int, default=40, help="for each client and page")
    parser.add_argument("--only", action="append", default=[], help="pages whose address holds this")
    options = parser.parse_args()
    size = population.Size(messages=options.messages)
    with populated(size) as url, serving(url) as panel:
        load = os.getloadavg()[0]
        print(
            f"{size.messages:,} messages, {options.clients} clients, {options.requests} requests each, load {load:.1f}"
        )
        print(f"{'page':<52}{'median':>9}{'95th':>9}{'slowest':>9}{'computing':>11}")
        late = [line for line in measured(url, panel, options) if line.endswith("!")]
    print(f"{len(late)} over {AIM_MS} ms at the 95th percentile")


@contextmanager
def populated(size: population.Size) -> Iterator[DatabaseUrl]:
    with contextmanager(running_server)() as server:
        url = create_database(server)
        build_schema(url)
        population.fill(url, size, generate_password_hash(population.PASSWORD, method="scrypt:1024:8:1"))
        yield url
        drop_database(server, url)


@contextmanager
def serving(url: DatabaseUrl) -> Iterator[Panel]:
    """The panel as its entrypoint starts it, and somebody who is signed in there."""
    port = free_port()
    settings = {"PORT": str(port), "SECRET_KEY": "a key of the benchmark", "LOG_LEVEL": "warning"}
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        process = Process("entrypoints/admin-panel.sh", env=environment(url, **settings), log=log)
        try:
            eventually(lambda: answer(port, "/readyz") == 200)
            with Visitor(f"http://127.0.0.1:{port}") as visitor:
                visitor.sign_in(population.EMAIL, population.PASSWORD)
                yield Panel(port, visitor.cookie, process.pid)
        finally:
            process.clean_up()


def measured(url: DatabaseUrl, panel: Panel, options: argparse.Namespace) -> Iterator[str]:
    """A line a page; one that ends in "!" is over the aim."""
    app = create_app(Config.from_env({"DATABASE_URL": as_text(url)}))
    with connection():
        values = furnish(User.get(User.email == population.EMAIL)) | {"conversation_id": 9_000}
    for address in addresses(app, values):
        if options.only and not any(part in address for part in options.only):
            continue
        before = computed(panel.process)
        seconds = sorted(crowd(panel, address, options.clients, options.requests))
        if not seconds:
            continue  # it leads elsewhere
        each = (computed(panel.process) - before) / (options.clients * (options.requests + WARMING))
        high = seconds[math.ceil(0.95 * len(seconds)) - 1]
        figures = "".join(f"{value * 1000:>9.1f}" for value in (statistics.median(seconds), high, seconds[-1]))
        line = f"{address:<52}{figures}{each * 1000:>11.1f}{' !' if high * 1000 > AIM_MS else ''}"
        print(line, flush=True)
        yield line


def crowd(panel: Panel, address: str, clients: int, requests: int) -> list[float]:
    """Seconds of every request."""
    with ThreadPoolExecutor(clients) as threads:
        runs = [threads.submit(ask, panel, address, requests) for _ in range(clients)]
        return list(itertools.chain.from_iterable(run.result() for run in runs))


def ask(panel: Panel, address: str, requests: int) -> list[float]:
    """A connection for each request, as the panel wants it. What takes them runs on the processors of the panel too, so
    it does no more than it must: `http.client` took twice as long."""
    question = f"GET {address} HTTP/1.1\r\nHost: 127.0.0.1:{panel.port}\r\nCookie: {panel.cookie}\r\n\r\n".encode()
    seconds = []
    for number in range(requests + WARMING):
        began = time.perf_counter()
        with socket.create_connection(("127.0.0.1", panel.port), timeout=60) as connection:
            connection.sendall(question)
            status = received(connection)
            took = time.perf_counter() - began
        if status in (302, 303):
            break
        if status != 200:
            sys.exit(f"{address} answered {status}")
        if number >= WARMING:
            seconds.append(took)
    return seconds


def received(connection: socket.socket) -> int:
    """Wait for the last byte of the answer; its status."""
    answer = connection.recv(BUFFER)
    head, _, body = answer.partition(b"\r\n\r\n")
    missing = int(LENGTH.findall(head)[0]) - len(body)
    while missing > 0 and (piece := connection.recv(BUFFER)):
        missing -= len(piece)
    if missing:
        sys.exit(f"an answer ended {missing} bytes too early")
    return int(head.split(maxsplit=2)[1])


def computed(process: int) -> float:
    """Seconds of processor time of the process and those that it has started (proc(5), fields 14 and 15)."""
    started = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK") + sum(computed(int(child)) for child in started)


if __name__ == "__main__":
    os.environ.setdefault("PYTHONDONTWRITEBYTECODE", "1")
    main()
