"""Migrations that break out of what holds them: they end the transaction, the process, or speak to another program."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from service.migrate import gate, runner
from service.migrate.errors import MigrationFailed, Refused
from service.migrate.proving import verify
from service.url import DatabaseUrl
from tests.support.migrations import applied, rows, table, tables, target, write
from tests.support.processes import environment, run

COLON = "A name behind a colon is a variable of psql's: write its value instead."
OUTBREAKS = {
    "the database's own commit": "database.commit()",
    "a commit of the driver": "database.cursor().execute('COMMIT')",
    "a commit, and more after it": "database.commit(); database.execute_sql('CREATE TABLE b (id INT)')",
    "a commit, and an error": "database.commit(); 1 / 0",
}


@pytest.mark.parametrize("outbreak", OUTBREAKS)
def test_what_ends_the_transaction_is_not_recorded_as_applied(
    database_url: DatabaseUrl, tmp_path: Path, outbreak: str
) -> None:
    """Its claim was committed with the first half: the next deploy would have gone on without the second."""
    body = f"database.execute_sql('CREATE TABLE first (id INT)'); {OUTBREAKS[outbreak]}\n{table('second')}"
    write(tmp_path, "001_a", body)
    with pytest.raises(MigrationFailed) as failure:
        runner.deploy(target(database_url, tmp_path))
    first, *_, reason, hint = str(failure.value).splitlines()
    assert first == "Migration 001_a failed; some of it may stand."
    assert reason == "  reason: it has ended the transaction, which is the runner's to end"
    assert hint.startswith("Look at the database and undo by hand what stands.")
    assert applied(database_url) == []
    states = rows(database_url, "SELECT state FROM migratejournal WHERE migration = '001_a'")
    assert states == [("failed",)]


def test_a_migration_that_rolls_back_by_itself_is_not_applied(database_url: DatabaseUrl, tmp_path: Path) -> None:
    write(tmp_path, "001_a", f"database.rollback()\n{table('second')}")
    with pytest.raises(MigrationFailed, match=r"nothing of it remains.\n(.*\n)*.*The runner begins and commits"):
        runner.deploy(target(database_url, tmp_path))
    assert applied(database_url) == []


def test_and_a_rollback_that_does_so_leaves_the_migration_recorded(database_url: DatabaseUrl, tmp_path: Path) -> None:
    write(tmp_path, "001_a", f"{table('a')}\n{table('b')}", "database.execute_sql('DROP TABLE a'); database.commit()")
    runner.deploy(target(database_url, tmp_path))
    with pytest.raises(MigrationFailed, match="some of it may be gone"):
        runner.rollback(target(database_url, tmp_path), confirm=lambda _names: None)
    assert applied(database_url) == ["001_a"]


@pytest.mark.parametrize(
    ("end", "reason"),
    [
        ("sys.exit(0)", "SystemExit: 0"),
        ("raise BaseException('odd')", "BaseException: odd"),
        ("{}['bots']", "KeyError: 'bots'"),
        ("raise MemoryError", "MemoryError"),
        ("input('sure? ')", "EOFError: EOF when reading a line"),
    ],
)
def test_whatever_python_raises_is_told_with_its_name(
    database_url: DatabaseUrl, tmp_path: Path, end: str, reason: str
) -> None:
    write(tmp_path, "001_a", f"database.execute_sql('CREATE TABLE first (id INT)')\n{end}", top="import sys")
    words = [sys.executable, "-m", "service.migrate.cli", "--dir", str(tmp_path), "deploy"]
    done = run(*words, env=environment(database_url))
    assert (done.returncode, "Traceback" in done.stderr) == (2, False)
    assert done.stderr.splitlines() == [
        "Migration 001_a failed; it was rolled back and nothing of it remains.",
        "  at 001_a.py, line 6",
        *(["  running: CREATE TABLE first (id INT)"] if "running" in done.stderr else []),
        f"  reason: {reason}",
        "Correct 001_a.py and deploy again.",
    ]
    assert "first" not in tables(database_url)


def last_word(url: DatabaseUrl, folder: Path, text: str) -> str:
    """What the failure of such a file ends with."""
    (folder / "001_a.sql").write_text(text)
    with pytest.raises(MigrationFailed) as failure:
        runner.deploy(target(url, folder))
    return str(failure.value).splitlines()[-1]


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("\\set ON_ERROR_STOP on", "A line that begins with a backslash is psql's own command: say it in SQL."),
        (
            "CREATE TABLE a (id int, t text);\nCOPY a (id, t) FROM stdin;\n1\tx\n\\.\n",
            "Rows that stand in the file are for psql alone: write them as INSERT, as `pg_dump --inserts` does.",
        ),
        ("VACUUM", "It has to be outside of a transaction: write `-- atomic: false` at the top of 001_a.sql."),
        (
            "DO $$ BEGIN COMMIT; END $$",
            "It has to be outside of a transaction: write `-- atomic: false` at the top of 001_a.sql.",
        ),
    ],
)
def test_what_was_meant_for_psql_is_told_how_to_say_it(
    postgresql_url: DatabaseUrl, tmp_path: Path, text: str, hint: str
) -> None:
    assert last_word(postgresql_url, tmp_path, text) == hint


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        (
            "CREATE TABLE c (id INT)\nGO\n",
            "GO is a word of SQL Server's tools: end each statement with a semicolon instead.",
        ),
        (
            "DELIMITER //\nCREATE TABLE c (id INT)//",
            "DELIMITER is a word of MySQL's client: take it out, and end each statement with a semicolon.",
        ),
        ("CREATE TABLE c (id INT); INSERT INTO c VALUES (:val)", COLON),
        ("CREATE TABLE c (id INT); INSERT INTO c VALUES (:'val')", COLON),
    ],
)
def test_what_was_meant_for_other_tools_is_told_too(
    database_url: DatabaseUrl, tmp_path: Path, text: str, hint: str
) -> None:
    assert last_word(database_url, tmp_path, text) == hint


def test_an_empty_file_is_no_migration(database_url: DatabaseUrl, tmp_path: Path) -> None:
    (tmp_path / "001_a.sql").write_text(" \n")
    with pytest.raises(Refused) as refusal:
        runner.deploy(target(database_url, tmp_path))
    assert str(refusal.value) == "001_a.sql is empty. Write what it does, or remove it."


def test_a_name_of_several_words_is_spoken_of_as_a_whole(database_url: DatabaseUrl, tmp_path: Path) -> None:
    (tmp_path / "001_a.sql").write_text('CREATE TABLE "Order Ünï" (id INTEGER); INSERT INTO "Order Ünï" VALUES (1)')
    (tmp_path / "002_b.sql").write_text('DELETE FROM "Order Ünï"')
    trigger = 'CREATE TRIGGER t AFTER INSERT ON c BEGIN DELETE FROM "Order Ünï"; END'
    if not database_url.is_sqlite:
        body = '$$ BEGIN DELETE FROM "Order Ünï"; RETURN NULL; END $$'
        clear = f"CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS {body}"
        trigger = f"{clear}; CREATE TRIGGER t AFTER INSERT ON c EXECUTE FUNCTION f()"
    (tmp_path / "003_c.sql").write_text(f"CREATE TABLE c (id INTEGER); {trigger}")
    runner.deploy(target(database_url, tmp_path))
    assert rows(database_url, 'SELECT * FROM "Order Ünï"') == []
    rows(database_url, 'INSERT INTO "Order Ünï" VALUES (1)')
    (tmp_path / "004_d.sql").write_text("INSERT INTO c VALUES (1)")
    with pytest.raises(MigrationFailed, match="this would be lost without having been declared: 1 row of Order Ünï"):
        runner.deploy(target(database_url, tmp_path))
    (tmp_path / "004_d.sql").write_text('-- touches: "Order Ünï"\nINSERT INTO c VALUES (1)')
    runner.deploy(target(database_url, tmp_path))
    assert rows(database_url, 'SELECT * FROM "Order Ünï"') == []


def test_a_history_that_keeps_no_row_is_no_success(postgresql_url: DatabaseUrl, tmp_path: Path) -> None:
    write(tmp_path, "001_a", table("a"))
    runner.deploy(target(postgresql_url, tmp_path))
    function = "CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$"
    rows(postgresql_url, function)
    rows(
        postgresql_url,
        "CREATE TRIGGER t BEFORE INSERT ON migratehistory FOR EACH ROW EXECUTE FUNCTION swallow()",
    )
    write(tmp_path, "002_b", table("b"))
    with pytest.raises(Refused) as refusal:
        runner.deploy(target(postgresql_url, tmp_path))
    assert str(refusal.value) == (
        "002_b can't be recorded: its row does not stay in migratehistory. Look for a trigger or a rule on that table, "
        "and take it away."
    )
    assert "b" not in tables(postgresql_url)


def test_numbers_that_fell_behind_are_not_blamed_on_the_migration(postgresql_url: DatabaseUrl, tmp_path: Path) -> None:
    """As after a copy of the rows alone."""
    write(tmp_path, "001_a", table("a"))
    runner.deploy(target(postgresql_url, tmp_path))
    rows(postgresql_url, "SELECT setval('migratejournal_id_seq', 1, false)")
    write(tmp_path, "002_b", table("b"))
    with pytest.raises(MigrationFailed) as failure:
        runner.deploy(target(postgresql_url, tmp_path))
    hint = str(failure.value).splitlines()[-1]
    rows(postgresql_url, hint.split("`")[1])
    assert runner.deploy(target(postgresql_url, tmp_path)).newest == "002_b"


RICH = """
CREATE TYPE mood AS ENUM ('calm', 'cross'); CREATE DOMAIN few AS int CHECK (VALUE < 9);
CREATE TABLE p (
    id int GENERATED ALWAYS AS IDENTITY, d date NOT NULL, m mood, n few, g int GENERATED ALWAYS AS (n) STORED
) PARTITION BY RANGE (d);
CREATE TABLE p1 PARTITION OF p FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
CREATE MATERIALIZED VIEW months AS SELECT d, count(*) FROM p GROUP BY d;
CREATE UNIQUE INDEX months_d ON months (d); CREATE INDEX p_g ON p (g);
CREATE VIEW v AS SELECT id FROM p;
CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
CREATE TRIGGER t INSTEAD OF INSERT ON v FOR EACH ROW EXECUTE FUNCTION f();
ALTER TABLE p1 ENABLE ROW LEVEL SECURITY; CREATE POLICY everybody ON p1 USING (true);
"""


def test_what_else_postgresql_has_is_compared_or_let_be(postgresql_url: DatabaseUrl, tmp_path: Path) -> None:
    (tmp_path / "001_a.sql").write_text(RICH)
    runner.deploy(target(postgresql_url, tmp_path))
    assert verify.verify(postgresql_url, tmp_path).drift == ()
    rows(postgresql_url, "DROP MATERIALIZED VIEW months")
    assert verify.verify(postgresql_url, tmp_path).drift == ("view months is missing",)


def test_a_materialised_view_goes_with_no_cascade(postgresql_url: DatabaseUrl, tmp_path: Path) -> None:
    (tmp_path / "001_a.sql").write_text(RICH)
    (tmp_path / "002_b.sql").write_text("DROP TABLE p, p1 CASCADE")
    with pytest.raises(MigrationFailed, match=r"lost without having been declared: .*view months, view v"):
        runner.deploy(target(postgresql_url, tmp_path))


@pytest.mark.parametrize("name", ["[two words]", "`two words`", '"two words"'])
def test_a_table_is_spoken_of_in_any_of_sqlites_quotes(sqlite_url: DatabaseUrl, tmp_path: Path, name: str) -> None:
    (tmp_path / "001_a.sql").write_text(f"CREATE TABLE {name} (id INTEGER)")
    (tmp_path / "002_b.sql").write_text(f"DROP TABLE {name}")
    assert runner.deploy(target(sqlite_url, tmp_path)).newest == "002_b"


def test_a_file_that_leads_nowhere_is_not_passed_over(database_url: DatabaseUrl, tmp_path: Path) -> None:
    write(tmp_path, "001_a", table("a"))
    (tmp_path / "002_b.sql").symlink_to("/nowhere")
    words = [sys.executable, "-m", "service.migrate.cli", "--dir", str(tmp_path), "deploy"]
    done = run(*words, env=environment(database_url))
    path = tmp_path / "002_b.sql"
    said = f"{path} can't be read: No such file or directory. `ls -l {path}` tells what it is, and who may.\n"
    assert (done.returncode, done.stderr) == (2, said)


def test_an_image_that_lacks_its_migrations_is_not_up_to_date(database_url: DatabaseUrl, tmp_path: Path) -> None:
    path = write(tmp_path, "001_a", table("a"))
    runner.deploy(target(database_url, tmp_path))
    path.unlink()
    with pytest.raises(Refused) as refusal:
        runner.deploy(target(database_url, tmp_path))
    assert str(refusal.value) == (
        "There is no migration in this folder, but the database has some. Does the release, or the image, lack its "
        "files? Name the folder with --dir or MIGRATIONS_DIR."
    )
    assert not gate.check(database_url, tmp_path).is_open
