"""The worker against the floor: messages per second through inbox, offline provider and outbox, and how long one takes.

.venv/bin/python -m benchmarks.chat [--messages 400] [--rounds 7] [--write docs/benchmarks.md]
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from psycopg2.extensions import connection as Connection

from benchmarks.chat_worker import CHANNEL
from benchmarks.databases import Databases, PostgresqlDatabases
from service.chat.receive import receive
from service.database import bind, proxy
from service.models import Chatbot, Conversation, Creator
from service.url import DatabaseUrl
from tests.support.postgresql import connect, find_binaries, running_server
from tests.support.processes import as_text
from tests.support.schema import build_schema

TEMPLATE, RUN = "chat_template", "chat_run"
CONVERSATIONS, CREWS = 100, (1, 2, 4)
SHARE, LATENCY_MS = 0.35, 20.0
# Each worker answers so many before the clock starts; the floor, which is quicker, does so many times as many.
WARM, LONGER = 20, 3
QUESTION = "What is the tide at the northern pier today?"
FLOOR = Path(__file__).with_name("chat_floor.sql")
_BEGIN, _END = "<!-- the worker, as measured -->\n", "<!-- the end of it -->\n"

FILL = """
INSERT INTO inbox (chatbot_id, channel, external_id, thread, content, metadata, state, attempts, available_at,
                   created_at)
SELECT 1, %(channel)s, first + n, (n - 1) %% %(conversations)s + 1, %(question)s, '{}', 'queued', 0, now, now
FROM generate_series(1, %(messages)s) n, (SELECT count(*) AS first FROM inbox) before,
     (SELECT clock_timestamp() AT TIME ZONE 'UTC' AS now) clock
"""
UNDONE = """
SELECT (SELECT count(*) FROM inbox WHERE state IN ('queued', 'leased'))
     + (SELECT count(*) FROM outbox WHERE state IN ('queued', 'leased'))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=400, help="how many each run answers (400)")
    parser.add_argument("--rounds", type=int, default=7, help="how often each is run, in turn (7)")
    parser.add_argument("--write", type=Path, help="a document that gets the results between its two marks")
    options = parser.parse_args()
    began = os.getloadavg()[0]
    with contextmanager(running_server)() as server:
        databases = PostgresqlDatabases(server)
        prepare(databases)
        text = report(
            {crew: rates(databases, crew, options) for crew in CREWS}, latencies(databases, options), options, began
        )
    print(text)
    if options.write:
        before, _, rest = options.write.read_text("utf-8").partition(_BEGIN)
        options.write.write_text(f"{before}{_BEGIN}\n{text}\n{_END}{rest.partition(_END)[2]}", "utf-8")


def prepare(databases: Databases) -> None:
    """A database with the schema, a chatbot, and the conversations that the messages belong to."""
    databases.create(TEMPLATE)
    url = databases.url(TEMPLATE)
    build_schema(url)
    bind(url)
    chatbot = Chatbot.create(creator=Creator.create(name="Harbour"), title="Harbour desk", system_prompt="Be brief.")
    for thread in range(1, CONVERSATIONS + 1):
        Conversation.create(chatbot=chatbot, title="Tides", channel=CHANNEL, thread=str(thread))
    proxy.obj.close()
    bind(url)  # lets go of the pool, or the database could not be copied


def rates(databases: Databases, crew: int, options: argparse.Namespace) -> tuple[float, float]:
    """Messages per second: the worker's and the floor's, run in turn, each with so many processes."""
    ours, floor = [], []
    for _ in range(options.rounds):
        databases.create(RUN, TEMPLATE)
        ours.append(worked(databases.url(RUN), crew, options.messages))
        databases.create(RUN, TEMPLATE)
        floor.append(pounded(databases.url(RUN), crew, options.messages * LONGER))
    return median(ours), median(floor)


def worked(url: DatabaseUrl, crew: int, messages: int) -> float:
    with workers(url, crew), closing(connect(url)) as database:
        database.autocommit = True
        answered(database, WARM * crew)
        seconds = answered(database, messages)
    return messages / seconds


def answered(database: Connection, messages: int) -> float:
    """Seconds from the moment at which so many messages are there to the end of the last delivery."""
    began = fill(database, messages)
    while ask(database, UNDONE):
        time.sleep(0.1)
    return ask(database, "SELECT extract(epoch FROM max(finished_at)) FROM outbox") - began


def pounded(url: DatabaseUrl, crew: int, messages: int) -> float:
    with closing(connect(url)) as database:
        database.autocommit = True
        fill(database, messages)
    binaries = find_binaries()
    if binaries is None:
        sys.exit("pgbench is not there; install PostgreSQL's server programs.")
    given = [f"-D{name}={value}" for name, value in (("n", 0), ("clients", crew), ("conversations", CONVERSATIONS))]
    command = [binaries / "pgbench", "-n", "-f", FLOOR, "-c", crew, "-j", crew, "-t", messages // crew, *given]
    where = {"PGHOST": url.host, "PGPORT": str(url.port), "PGUSER": url.user, "PGDATABASE": url.name}
    done = subprocess.run([str(word) for word in command], env=os.environ | where, capture_output=True, text=True)
    found = re.search(r"^tps = ([\d.]+)", done.stdout, re.MULTILINE)
    if done.returncode or not found:
        sys.exit(f"pgbench failed: {done.stdout}{done.stderr}")
    return float(found[1])


def latencies(databases: Databases, options: argparse.Namespace) -> list[float]:
    """Seconds from the call that stores a message until another process learns that the answer is committed, while
    the worker has nothing else to do."""
    databases.create(RUN, TEMPLATE)
    url = databases.url(RUN)
    bind(url)
    taken = []
    with workers(url, 1), closing(connect(url)) as ears:
        ears.autocommit = True
        ears.cursor().execute("LISTEN slipway_outbox")
        chatbot = Chatbot.get()
        for number in range(10 * options.rounds + 5):
            time.sleep(0.1)  # until it sleeps again
            began = time.perf_counter()
            receive(chatbot, channel=CHANNEL, external_id=f"late-{number}", thread="1", content=QUESTION, metadata={})
            while not ears.notifies:
                select.select([ears], [], [], 10)
                ears.poll()
            taken.append(time.perf_counter() - began)
            ears.notifies.clear()
    proxy.obj.close()
    return taken[5:]  # the first ones fill caches


@contextmanager
def workers(url: DatabaseUrl, crew: int) -> Iterator[None]:
    command = [sys.executable, "-m", "benchmarks.chat_worker", as_text(url)]
    started = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(crew)]
    try:
        for process in started:
            assert process.stdout
            assert process.stdout.readline() == "ready\n"
        time.sleep(0.5)  # they look once more after LISTEN
        yield
    finally:
        for process in started:
            process.communicate()


def fill(database: Connection, messages: int) -> float:
    """All at once, and then a nudge: how fast they come is not what is measured. Nor what a copied database still owes
    the disk, or does not know about its tables: some runs would pay for it and others not. Returns the moment."""
    values = {"channel": CHANNEL, "conversations": CONVERSATIONS, "question": QUESTION, "messages": messages}
    with database.cursor() as cursor:
        for statement in ("CHECKPOINT", "BEGIN", FILL, "ANALYZE", "NOTIFY slipway_inbox"):
            cursor.execute(statement, values if statement is FILL else None)
        began = ask(database, "SELECT extract(epoch FROM clock_timestamp() AT TIME ZONE 'UTC')")
        cursor.execute("COMMIT")
    return began


def ask(database: Connection, query: str) -> float:
    with database.cursor() as cursor:
        cursor.execute(query)
        row = cursor.fetchone()
    return float(row[0]) if row else 0.0


def report(found: dict[int, tuple[float, float]], taken: list[float], options: argparse.Namespace, load: float) -> str:
    lines = [
        f"{datetime.now(UTC):%Y-%m-%d}, Python {platform.python_version()}, {os.cpu_count()} cores, load {load:.1f} at"
        f" the start, medians of {options.rounds} runs of {options.messages} messages in {CONVERSATIONS}"
        " conversations.\n",
        "| processes | worker, messages/s | floor, messages/s | share | |",
        "|---:|---:|---:|---:|---|",
    ]
    for crew, (ours, floor) in found.items():
        aim = f"≥ {SHARE:.0%}: {verdict(ours / floor >= SHARE)}" if crew == 1 else ""
        lines.append(f"| {crew} | {ours:,.0f} | {floor:,.0f} | {ours / floor:.0%} | {aim} |")
    middle, high = (1000 * sorted(taken)[int(len(taken) * share)] for share in (0.5, 0.95))
    aim = verdict(middle < LATENCY_MS)
    lines.append(
        f"\nFrom storing a message to its committed answer, the worker being idle: median {middle:.1f} ms (aim: under"
        f" {LATENCY_MS:.0f} ms, {aim}), 95th percentile {high:.1f} ms, of {len(taken)}."
    )
    return "\n".join(lines) + "\n"


def verdict(is_reached: bool) -> str:
    return "reached" if is_reached else "**not reached**"


if __name__ == "__main__":
    main()
