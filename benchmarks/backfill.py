"""Rows per second of a backfill, against the same change as batched plain SQL, and its memory.

    .venv/bin/python -m benchmarks.backfill [--rows 1000000] [--runs 7] [--batch 1000] [--form SQL]

The two take turns on the same table, filled anew each time, on the tests' own PostgreSQL (without fsync, which would
only help the ratio) and on SQLite. A backfill's time is that of the whole deploy. Plain SQL is the least that there is:
one UPDATE for each range of keys without a gap, no checkpoint, no count.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from service.migrate import runner
from service.migrate.connection import Connection, connect
from service.url import DatabaseUrl
from tests.support.migrations import target, write
from tests.support.postgresql import create_database, drop_database, running_server

FORMS = {
    "SQL": '{"length": pw.fn.LENGTH(migrator.orm["words"].word)}',
    "function": 'lambda row: {"length": len(row.word)}',
}
TABLE = """
@migrator.create_model
class Word(pw.Model):
    word, length = pw.TextField(), pw.IntegerField(null=True)
    class Meta:
        table_name = "words"
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--batch", type=int, default=1000)
    parser.add_argument("--form", choices=FORMS, action="append", help="this form of a change only")
    options = parser.parse_args()
    print(f"{options.rows:,} rows, batches of {options.batch:,}, medians of {options.runs} runs in turn")
    for url in databases():
        for form in options.form or FORMS:
            print(compare(url, form, options), flush=True)
    print(f"most memory of this process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MB")


def databases() -> Iterator[DatabaseUrl]:
    servers = running_server()
    server = next(servers)
    url = create_database(server)
    yield url
    drop_database(server, url)
    next(servers, None)  # ends it
    with tempfile.TemporaryDirectory() as folder:
        yield DatabaseUrl("sqlite", f"{folder}/benchmark.db")


def compare(url: DatabaseUrl, form: str, options: argparse.Namespace) -> str:
    """One line: both speeds, and the share that the backfill reaches."""
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), "001_words", TABLE)
        runner.deploy(target(url, Path(folder)))
        body = f'migrator.backfill("words", {FORMS[form]}, batch={options.batch})'
        write(Path(folder), "002_fill", body, top="atomic = False")
        ours, plain = [], []
        for _ in range(options.runs):
            ours.append(measured(url, options.rows, lambda: runner.deploy(target(url, Path(folder)))))
            plain.append(measured(url, options.rows, lambda: plain_sql(url, options.rows, options.batch)))
    mine, theirs = statistics.median(ours), statistics.median(plain)
    engine = "SQLite" if url.is_sqlite else "PostgreSQL"
    return (
        f"{engine:<10} {form:<8} backfill {options.rows / mine:>9,.0f} rows/s"
        f"   plain SQL {options.rows / theirs:>9,.0f} rows/s   {100 * theirs / mine:.0f} %"
    )


def measured(url: DatabaseUrl, count: int, work: Callable[[], object]) -> float:
    """Seconds on a table that is as new; the work must have reached every row."""
    with connected(url) as database:
        fill(database, count)
    began = time.perf_counter()
    work()
    seconds = time.perf_counter() - began
    with connected(url) as database:
        if database.execute("SELECT count(*) FROM words WHERE length = length(word)").fetchone()[0] != count:
            sys.exit("not every row was changed")
    return seconds


def fill(database: Connection, count: int) -> None:
    database.execute("DELETE FROM migratehistory WHERE name = '002_fill'")
    database.execute("DELETE FROM migratejournal")
    database.execute("DELETE FROM words" if database.is_sqlite else "TRUNCATE words")
    numbers = f"WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {count})"
    database.execute(f"{numbers} INSERT INTO words (id, word) SELECT n, 'the word of this row is ' || n FROM n")
    database.execute("VACUUM" if database.is_sqlite else "VACUUM ANALYZE words")
    if not database.is_sqlite:
        database.execute("CHECKPOINT")


def plain_sql(url: DatabaseUrl, count: int, batch: int) -> None:
    with connected(url) as database:
        for low in range(0, count, batch):
            database.execute(
                "UPDATE words SET length = length(word) WHERE id > ? AND id <= ?", [low, min(low + batch, count)]
            )


@contextmanager
def connected(url: DatabaseUrl) -> Iterator[Connection]:
    database = connect(url)
    try:
        yield database
    finally:
        database.close()


if __name__ == "__main__":
    main()
