"""A deploy without work: answered after a glance, in the same words, and never where the whole way says otherwise."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from service.migrate import contents, driver, glance, runner
from service.migrate.cli import main
from service.migrate.command import arguments, commands, console, defaults
from service.migrate.connection import connect
from service.url import DatabaseUrl
from tests.support.migrations import rows, table, target, write
from tests.support.processes import as_text, environment, run


@pytest.fixture
def folder(database_url: DatabaseUrl, tmp_path: Path) -> Path:
    """Three migrations, applied; the second is SQL with a way back."""
    folder = tmp_path / "migrations"
    write(folder, "001_a", table("a"))
    (folder / "002_b.sql").write_text("CREATE TABLE b (id INTEGER);")
    (folder / "002_b.down.sql").write_text("DROP TABLE b;")
    write(folder, "010_c", table("c"))
    runner.deploy(target(database_url, folder))
    return folder


def glanced(url: DatabaseUrl, folder: Path, *words: str) -> str:
    return glance.answer(["--database-url", as_text(url), "--dir", str(folder), *(words or ["deploy"])], {})


def test_a_glance_says_what_the_whole_way_would_say(
    database_url: DatabaseUrl, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    console.main(["--database-url", as_text(database_url), "--dir", str(folder), "deploy"])
    assert f"{glanced(database_url, folder)}\n" == capsys.readouterr().out
    assert "3 migrations, the newest is 010_c." in glanced(database_url, folder)


ODD = {
    "as it is": "SELECT 1",
    "recorded by hand": "UPDATE migratehistory SET origin = 'resolve', duration_ms = NULL WHERE name = '001_a'",
    "waited for others": "UPDATE migratehistory SET duration_ms = 61500, waited_ms = 59940 WHERE name = '002_b'",
    "late to come": "UPDATE migratehistory SET id = id + 100, migrated_at = '2031-02-03 04:05:06' WHERE name = '001_a'",
    "a long name": f"UPDATE migratehistory SET name = '001_{'a' * 60}' WHERE name = '001_a'",
}


@pytest.mark.parametrize("odd", ODD)
def test_a_glance_at_the_status_says_what_the_whole_way_would_say(
    database_url: DatabaseUrl, folder: Path, capsys: pytest.CaptureFixture[str], odd: str
) -> None:
    rows(database_url, ODD[odd])
    if odd == "a long name":
        (folder / "001_a.py").rename(folder / f"001_{'a' * 60}.py")
    assert console.main(["--database-url", as_text(database_url), "--dir", str(folder), "status"]) == 0
    assert f"{glanced(database_url, folder, 'status')}\n" == capsys.readouterr().out


def test_times_that_are_kept_in_another_zone_are_told_in_utc_by_both(
    postgresql_url: DatabaseUrl, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "migrations"
    write(folder, "001_a", table("a"))
    runner.deploy(target(postgresql_url, folder))
    rows(postgresql_url, "ALTER TABLE migratehistory ALTER migrated_at TYPE timestamptz")
    rows(postgresql_url, "UPDATE migratehistory SET migrated_at = '2026-11-21 12:00+05'")
    console.main(["--database-url", as_text(postgresql_url), "--dir", str(folder), "status"])
    assert f"{glanced(postgresql_url, folder, 'status')}\n" == (out := capsys.readouterr().out)
    assert "2026-11-21 07:00:00" in out


def test_a_time_that_is_none_is_left_out_by_both(
    sqlite_url: DatabaseUrl, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "migrations"
    write(folder, "001_a", table("a"))
    runner.deploy(target(sqlite_url, folder))
    rows(sqlite_url, "UPDATE migratehistory SET migrated_at = 'yesterday'")
    console.main(["--database-url", as_text(sqlite_url), "--dir", str(folder), "status"])
    assert f"{glanced(sqlite_url, folder, 'status')}\n" == (out := capsys.readouterr().out)
    assert "yesterday" not in out


def test_a_status_of_which_nobody_reads_the_end_is_no_error(sqlite_url: DatabaseUrl, tmp_path: Path) -> None:
    for number in range(100, 400):
        write(tmp_path / "migrations", f"{number}_{'long' * 50}")
    runner.deploy(target(sqlite_url, tmp_path / "migrations"))
    words = ["--database-url", as_text(sqlite_url), "--dir", str(tmp_path / "migrations"), "status"]
    command = ["sh", "-c", '"$@" | head -1', "sh", sys.executable, "-m", "service.migrate.cli", *words]
    done = run(*command, env=environment(sqlite_url))
    assert (done.stdout, done.stderr) == (f"{sqlite_url}\n", "")


@pytest.mark.parametrize("command", ["deploy", "status"])
def test_the_order_of_the_words_is_nothing_to_a_glance(database_url: DatabaseUrl, folder: Path, command: str) -> None:
    url, where = ["--database-url", as_text(database_url)], ["--dir", str(folder)]
    expected = glanced(database_url, folder, command)
    assert expected == glance.answer([command, *url, *where], {}) == glance.answer([*where, command, *url], {}) != ""


def test_the_database_and_the_folder_may_come_from_the_environment(database_url: DatabaseUrl, folder: Path) -> None:
    env = {
        "DATABASE_URL": "sqlite:////nowhere/x.db",
        "DIRECT_URL": as_text(database_url),
        "MIGRATIONS_DIR": str(folder),
    }
    assert glance.answer(["deploy"], env) == glanced(database_url, folder) != ""


def test_a_url_may_come_from_a_file(database_url: DatabaseUrl, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "url").write_text(f"{as_text(database_url)}\n")
    env = {"DATABASE_URL_FILE": str(tmp_path / "url"), "MIGRATIONS_DIR": str(folder)}
    assert glance.answer(["deploy"], env) == glanced(database_url, folder) != ""


def edit(folder: Path) -> None:
    (folder / "001_a.py").write_text("def migrate(migrator, database, *, fake=False): pass")


DOUBTS: dict[str, Callable[[Path], object]] = {
    "a pending migration": lambda folder: write(folder, "011_d", table("d")),
    "an edited one": edit,
    "a file that is gone": lambda folder: (folder / "002_b.sql").unlink(),
    "a name that is no migration's": lambda folder: (folder / "notes.py").write_text("x"),
    "a renamed one": lambda folder: (folder / "001_a.py").rename(folder / "001_z.py"),
    "a second ending": lambda folder: (folder / "010_c.sql").write_text("SELECT 1"),
    "one that came late": lambda folder: write(folder, "005_late", table("late")),
}


@pytest.mark.parametrize("doubt", DOUBTS)
def test_a_folder_that_is_not_the_history_s_goes_the_whole_way(
    database_url: DatabaseUrl, folder: Path, doubt: str
) -> None:
    DOUBTS[doubt](folder)
    assert [glanced(database_url, folder, command) for command in ("deploy", "status")] == ["", ""]


def test_on_sqlite_where_nobody_is_waited_for_a_glance_reads_no_file_where_one_is_pending(
    sqlite_url: DatabaseUrl, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole way reads them all, and twice a thousand would be felt."""
    write(tmp_path, "001_a", table("a"))
    runner.deploy(target(sqlite_url, tmp_path))
    write(tmp_path, "002_b", table("b"))
    read: list[object] = []
    monkeypatch.setattr(contents, "_read", lambda *given: read.append(given))
    assert (glanced(sqlite_url, tmp_path), read) == ("", [])


UNSETTLED = {
    "an attempt that was killed": "UPDATE migratejournal SET state = 'running' WHERE id = 1",
    "a rollback that stopped half-way": "UPDATE migratejournal SET action = 'rollback', state = 'failed', steps = 2",
    "a row without a checksum": "UPDATE migratehistory SET checksum = NULL WHERE name = '001_a'",
    "a history of an older release": "ALTER TABLE migratehistory DROP COLUMN duration_ms",
    "a row that no file has": "INSERT INTO migratehistory (name, migrated_at) VALUES ('011_x', '2026-11-21')",
    "no journal": "DROP TABLE migratejournal",
    "no history": "DROP TABLE migratehistory",
}


@pytest.mark.parametrize("doubt", UNSETTLED)
def test_a_history_that_is_not_settled_goes_the_whole_way(database_url: DatabaseUrl, folder: Path, doubt: str) -> None:
    rows(database_url, UNSETTLED[doubt])
    assert glanced(database_url, folder, "status") == ""
    assert glanced(database_url, folder) == "" or doubt == "a history of an older release"


def test_what_stopped_half_way_goes_the_whole_way_also_where_its_file_is_gone(
    database_url: DatabaseUrl, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As after an image was rolled back: the files that are left are those of the history that is whole."""
    rows(database_url, "UPDATE migratehistory SET duration_ms = -7 WHERE name = '010_c'")
    assert glanced(database_url, folder) == ""
    (folder / "010_c.py").unlink()
    assert (glanced(database_url, folder), glanced(database_url, folder, "status")) == ("", "")
    assert main(["--database-url", as_text(database_url), "--dir", str(folder), "deploy"]) == 1
    assert "The rollback of 010_c was stopped after it had ended its own transaction" in capsys.readouterr().err


def test_two_applied_files_with_one_number_go_the_whole_way(database_url: DatabaseUrl, folder: Path) -> None:
    (folder / "010_c.py").rename(folder / "002_c.py")
    rows(database_url, "UPDATE migratehistory SET name = '002_c' WHERE name = '010_c'")
    assert glanced(database_url, folder) == ""


@pytest.mark.parametrize(
    "words", [["deploy", "--json"], ["status", "--json"], ["deploy", "--wait", "1"], ["--help"], []]
)
def test_other_words_go_the_whole_way(database_url: DatabaseUrl, folder: Path, words: list[str]) -> None:
    assert glance.answer(["--database-url", as_text(database_url), "--dir", str(folder), *words], {}) == ""


PLACES = [
    "sqlite:///",
    "sqlite:///:memory:",
    "sqlite:///data/%41.db",
    "sqlite:////nowhere/x.db?mode=ro",
    "file:./x.db",
    "postgresql://ann:p%40ss@localhost/x",
    "postgresql://ann@localhost:1/x?sslmode=require",
    "postgresql+psycopg2://ann@localhost:1/x",
    "postgresql://ann@[::1]:1/x",
    "postgresql://ann:a@b@localhost:1/x",
    "postgresql://localhost/x",
    "mysql://ann@localhost/x",
]


@pytest.mark.parametrize("url", PLACES)
def test_a_url_that_is_not_plain_goes_the_whole_way(url: str, tmp_path: Path) -> None:
    write(tmp_path / "m", "001_a", table("a"))
    assert glance.answer(["--database-url", url, "--dir", str(tmp_path / "m"), "deploy"], {}) == ""


def test_looking_at_a_database_that_is_not_there_does_not_make_it(tmp_path: Path) -> None:
    write(tmp_path / "m", "001_a", table("a"))
    assert glanced(DatabaseUrl("sqlite", str(tmp_path / "new.db")), tmp_path / "m") == ""
    assert not (tmp_path / "new.db").exists()


def test_who_waited_too_long_for_an_answer_goes_the_whole_way_on_another_connection(
    postgresql_url: DatabaseUrl, folder_of_one: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(driver, "_PATIENCE_MS", 10)
    words = ["--database-url", as_text(postgresql_url), "--dir", str(folder_of_one), "deploy"]
    left: list[Any] = []
    holder = connect(postgresql_url)
    with holder.transaction():
        holder.execute("LOCK TABLE migratehistory IN ACCESS EXCLUSIVE MODE")
        assert glance.answer(words, {}, left) == ""
    assert [bool(connection.closed) for connection in left] == [True]
    holder.close()
    assert console.main(words, left) == 0


@pytest.fixture
def folder_of_one(postgresql_url: DatabaseUrl, tmp_path: Path) -> Path:
    folder = write(tmp_path / "one", "001_a", table("a")).parent
    runner.deploy(target(postgresql_url, folder))
    return folder


def test_a_folder_without_migrations_goes_the_whole_way(database_url: DatabaseUrl, folder: Path) -> None:
    rows(database_url, "DELETE FROM migratehistory")
    for file in folder.iterdir():
        file.unlink()
    assert glanced(database_url, folder) == ""


def test_a_file_is_read_to_its_end(sqlite_url: DatabaseUrl, tmp_path: Path) -> None:
    """A difference behind the first piece that is read."""
    path = write(tmp_path / "m", "001_a", table("a"), top=f'WORDS = "{"x" * 200_000}"')
    words = ["--database-url", as_text(sqlite_url), "--dir", str(tmp_path / "m"), "deploy"]
    assert (main(words), glance.answer(words, {}) != "") == (0, True)
    path.write_text(path.read_text() + "# edited")
    assert glance.answer(words, {}) == ""


LEFT_OUT = {
    "argparse",
    "pathlib",
    "typing",
    "logging",
    "re",
    "hashlib",
    "service.url",
    "service.config",
    "service.migrate.runner",
}


@pytest.mark.parametrize("command", ["deploy", "status"])
def test_a_glance_imports_the_driver_and_next_to_nothing(database_url: DatabaseUrl, folder: Path, command: str) -> None:
    driver = "sqlite3" if database_url.is_sqlite else "psycopg2"
    code = (
        f"import sys, {driver}; before = set(sys.modules)\n"
        f"from service.migrate.cli import main; main(['--dir', {str(folder)!r}, {command!r}])\n"
        f"print(sorted({LEFT_OUT!r} & (set(sys.modules) - before)), file=sys.stderr)"
    )
    done = run("python", "-c", code, env=environment(database_url))
    assert (done.stderr, "up to date!" in done.stdout) == ("[]\n", True)


URL = ["--database-url", "sqlite:///x"]
PLAIN = [
    ["deploy"],
    ["status"],
    ["--dir", "x", "deploy"],
    ["deploy", "--dir", "x"],
    [*URL, "--dir", "y", "status"],
    ["--dir", "x", "status", *URL, "--dir", "y"],
]
OTHER = [
    [],
    ["wait"],
    ["--dir", "deploy"],
    ["--dir", "-x", "deploy"],
    ["--dir=x", "deploy"],
    ["deploy", "--dir"],
    ["deploy", "--dir", "-x"],
    ["deploy", "status", *URL],
]


@pytest.mark.parametrize("words", PLAIN)
def test_plain_words_mean_what_the_parser_makes_of_them(words: list[str]) -> None:
    assert vars(arguments.parser(words).parse_args(words)) == vars(defaults.options(commands, words))


@pytest.mark.parametrize("words", OTHER)
def test_other_words_are_left_to_the_parser(words: list[str]) -> None:
    assert defaults.options(commands, words) is None
