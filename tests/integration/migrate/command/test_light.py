"""What the commands import: most of the time of a short one. Whole processes, since an import happens once in each."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import psycopg2
import pytest
from psycopg2.extensions import cursor as Cursor
from psycopg2.sql import Composable

from service.migrate.connection import Connection
from service.migrate.errors import MigrationFailed
from service.migrate.lock import deploy_lock
from service.migrate.runner import deploy
from service.url import DatabaseUrl
from tests.support.migrations import filled, rows, table, target, write
from tests.support.processes import environment, run

# What only some migrations need, each with a good part of the time that a deploy of one of them takes.
VERBS = (
    "peewee_migrate",
    "playhouse",
    "unittest.mock",
    "asyncio",
    "service.migrate.altering.verbs",
)
LATER = tuple(
    f"service.migrate.{name}"
    for name in ("command.arguments", "command.authoring", "applying.conserve", "backfilling", "drafting", "proving")
)


def imported(url: DatabaseUrl, folder: Path, *words: str, of: tuple[str, ...]) -> tuple[str, str]:
    """What `migrate` prints, and which of these modules it has imported."""
    code = (
        "import sys; from service.migrate.cli import main\n"
        f"main(['--dir', {str(folder)!r}, *{words!r}])\n"
        f"print(*[name for name in {of!r} if name in sys.modules], file=sys.stderr)"
    )
    done = run(sys.executable, "-c", code, env=environment(url))
    return done.stdout, done.stderr.splitlines()[-1]


HEAVY = ("click", "peewee", "peewee_migrate", "flask", "service.models", "playhouse")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path / "migrations", "001_a", table("a"))
    (tmp_path / "migrations" / "002_b.sql").write_text("CREATE TABLE b (id INTEGER);")
    return tmp_path / "migrations"


@pytest.mark.parametrize("word", ["deploy", "status", "wait"])
def test_a_no_op_imports_the_driver_and_the_standard_library(
    database_url: DatabaseUrl, folder: Path, word: str
) -> None:
    deploy(target(database_url, folder))
    said, found = imported(database_url, folder, word, of=HEAVY)
    assert (bool(said), found) == (True, "")


@pytest.mark.parametrize("words", ["deploy", "status", "wait --timeout 0", "deploy --json"])
@pytest.mark.parametrize("is_done", [True, False], ids=["done", "pending"])
def test_the_driver_is_imported_without_the_encryption_that_is_not_its_own(
    postgresql_url: DatabaseUrl, folder: Path, words: str, *, is_done: bool
) -> None:
    if is_done:
        deploy(target(postgresql_url, folder))
    _, found = imported(postgresql_url, folder, *words.split(), of=("psycopg2", "ssl", "_ssl"))
    assert found == "psycopg2"


def test_a_migration_may_encrypt_all_the_same(postgresql_url: DatabaseUrl, folder: Path) -> None:
    write(folder, "003_c", "import ssl\nssl.create_default_context()")
    said, found = imported(postgresql_url, folder, "deploy", of=("ssl",))
    assert ("003_c" in said, found) == (True, "ssl")


def test_a_no_op_asks_the_database_a_constant_number_of_questions(
    database_url: DatabaseUrl, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    original = Connection.execute

    def counted(self: Connection, sql: str, parameters: Sequence[Any] = ()) -> Any:
        asked.append(sql)
        return original(self, sql, parameters)

    monkeypatch.setattr(Connection, "execute", counted)
    counts = []
    for size in (1, 30):
        for number in range(size):
            write(tmp_path / "many", f"{number + 1:03}_x", "pass")
        deploy(target(database_url, tmp_path / "many"))
        asked.clear()
        deploy(target(database_url, tmp_path / "many"))
        counts.append(len(asked))
    assert counts == [3, 3]


def test_a_deploy_of_plain_sql_goes_without_the_other_verbs(database_url: DatabaseUrl, folder: Path) -> None:
    said, found = imported(database_url, folder, "deploy", of=(*VERBS, *LATER, "argparse", "dataclasses", "random"))
    assert ("002_b" in said, found) == (True, "")


def test_a_deploy_of_sql_files_goes_without_peewee(database_url: DatabaseUrl, folder: Path) -> None:
    (folder / "001_a.py").unlink()
    (folder / "003_c.sql").write_text("-- atomic: false\nINSERT INTO b VALUES (1); INSERT INTO b VALUES (2);")
    said, found = imported(database_url, folder, "deploy", of=("peewee", "service.migrate.applying.adopted", *VERBS))
    assert ("003_c" in said, rows(database_url, "SELECT count(*) FROM b")) == (True, [(2,)])
    assert found == ""


def test_a_deploy_of_sql_that_only_adds_goes_without_what_reads_python_and_what_hears_it(
    database_url: DatabaseUrl, folder: Path
) -> None:
    (folder / "001_a.py").unlink()
    other = [] if database_url.is_sqlite else ["sqlite3"]
    said, found = imported(database_url, folder, "deploy", of=("ast", "logging", "tokenize", *other))
    assert ("002_b" in said, found) == (True, "")


def test_a_deploy_of_sql_that_may_lose_something_looks_without_what_reads_python(
    database_url: DatabaseUrl, folder: Path
) -> None:
    (folder / "001_a.py").unlink()
    (folder / "003_c.sql").write_text("INSERT INTO b VALUES (1); UPDATE b SET id = 2;")
    looked = "service.migrate.applying.conserve"
    said, found = imported(database_url, folder, "deploy", of=("ast", "dataclasses", "inspect", "logging", looked))
    assert ("003_c" in said, rows(database_url, "SELECT id FROM b"), found) == (True, [(2,)], looked)


def test_what_the_work_needs_is_imported_while_a_server_is_waited_for_and_not_beside_sqlite(
    database_url: DatabaseUrl, folder: Path
) -> None:
    code = (
        "import sys, threading; from service.migrate.cli import main\n"
        f"code = main(['--dir', {str(folder)!r}, 'deploy', '--lock-wait', '0'])\n"
        "[each.join() for each in threading.enumerate() if each is not threading.current_thread()]\n"
        "print(code, 'service.migrate.applying.apply' in sys.modules)"
    )
    with deploy_lock(database_url, seconds=5, on_wait=lambda *_: None):
        done = run(sys.executable, "-c", code, env=environment(database_url))
    assert done.stdout.splitlines()[-1] == f"2 {not database_url.is_sqlite}", done.stderr


def test_a_verb_that_is_needed_is_brought_in(database_url: DatabaseUrl, folder: Path) -> None:
    write(folder, "003_c", "@migrator.create_model\nclass C(pw.Model):\n    pass")
    said, found = imported(database_url, folder, "deploy", of=("peewee_migrate", "service.migrate.altering.verbs"))
    assert ("003_c" in said, found) == (True, "peewee_migrate service.migrate.altering.verbs")


class Counted(Cursor):
    """A cursor of psycopg2's: each statement, or several in one text, takes one round trip."""

    sent: ClassVar[list[str]] = []

    def execute(self, query: str | bytes | Composable, vars: Any = None) -> None:
        self.sent.append(str(query))
        super().execute(query, vars)


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What goes to PostgreSQL from now on."""
    monkeypatch.setattr(psycopg2, "connect", partial(psycopg2.connect, cursor_factory=Counted))
    monkeypatch.setattr(Counted, "sent", [])
    return Counted.sent


def test_each_migration_takes_three_round_trips(postgresql_url: DatabaseUrl, tmp_path: Path, sent: list[str]) -> None:
    """Beginning and claiming, its own statement, and the end of it with the beginning of the next and the commit."""
    for number in range(5):
        write(tmp_path / "migrations", f"00{number}_x", table(f"x{number}"))
    deploy(target(postgresql_url, tmp_path / "migrations"))
    first, *_, last = (number for number, sql in enumerate(sent) if sql.startswith("CREATE TABLE x"))
    assert last - first == 4 * 3
    assert "BEGIN; SET LOCAL lock_timeout" in sent[first - 1]


def test_a_deploy_asks_a_constant_number_of_questions_before_its_first_migration(
    postgresql_url: DatabaseUrl, tmp_path: Path, sent: list[str]
) -> None:
    """The history, the lock, who else is there, our tables, what was killed, and the history under the lock. Where the
    tables are not there yet, no history is read first, and they are made in one breath between a BEGIN and a COMMIT."""
    counts = []
    for number in range(3):
        sent.clear()
        write(tmp_path / "migrations", f"00{number}_x", table(f"x{number}"))
        deploy(target(postgresql_url, tmp_path / "migrations"))
        counts.append(next(place for place, sql in enumerate(sent) if sql.startswith("INSERT INTO migratejournal")))
    assert counts == [11, 11, 11]
    assert sum("pg_try_advisory_xact_lock" in sql for sql in sent) == 1


def test_each_batch_of_a_backfill_takes_five_round_trips(
    postgresql_url: DatabaseUrl, tmp_path: Path, sent: list[str]
) -> None:
    """Beginning, where the batch ends, the change itself, how far that came, and the commit."""
    folder = filled(postgresql_url, tmp_path, 40)
    write(folder, "002_fill", 'migrator.backfill("words", {"hits": 1}, batch=10)', top="atomic = False")
    deploy(target(postgresql_url, folder))
    first, *_, last = (number for number, sql in enumerate(sent) if sql.startswith('UPDATE "words"'))
    assert last - first == 3 * 5
    assert "BEGIN; SET LOCAL lock_timeout" in sent[first - 2]


BOTH = """
migrator.sql("CREATE TABLE first (id INTEGER PRIMARY KEY)")

@migrator.create_model
class Second(pw.Model):
    word = pw.TextField()

    class Meta:
        table_name = "second"

migrator.sql("INSERT INTO second (word) VALUES ('100 %')")
migrator.add_fields("second", color=pw.TextField(default="red"))
migrator.sql("UPDATE second SET word = color")
migrator.sql({failing!r})
"""


def test_sql_and_other_verbs_run_in_the_order_of_the_file(database_url: DatabaseUrl, folder: Path) -> None:
    write(folder, "003_both", BOTH.format(failing="INSERT INTO first (id) VALUES (7)"))
    write(folder, "004_after", 'migrator.sql("INSERT INTO first (id) VALUES (8)")')
    deploy(target(database_url, folder))
    assert rows(database_url, "SELECT word FROM second") == [("red",)]
    assert rows(database_url, "SELECT id FROM first ORDER BY id") == [(7,), (8,)]


def test_a_failing_statement_is_named_with_its_line_also_after_another_verb(
    database_url: DatabaseUrl, folder: Path
) -> None:
    path = write(folder, "003_both", BOTH.format(failing="INSERT INTO nowhere VALUES (1)"))
    line = next(number for number, text in enumerate(path.read_text().splitlines(), start=1) if "nowhere" in text)
    with pytest.raises(MigrationFailed, match=f"003_both.py, line {line}\n") as failure:
        deploy(target(database_url, folder))
    assert failure.value.statement == "INSERT INTO nowhere VALUES (1)"
    assert rows(database_url, "SELECT count(*) FROM migratehistory") == [(2,)]
