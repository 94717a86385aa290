"""Whatever lies in the folder or in the history: one sentence and an exit code, never a traceback, never a part."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout, suppress
from io import StringIO
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.migrate.cli import main
from service.migrate.tables import ADDED, HISTORY, JOURNAL, OURS
from service.url import DatabaseUrl
from tests.support.migrations import rows, table, tables, write
from tests.support.processes import as_text

FUZZ = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
NAMES = st.sampled_from(["001_a.py", "002_b.sql", "003_c.py"]) | st.from_regex(
    r"[0-9]{0,4}[_-]?[a-zé .]{0,6}\.(py|sql|down\.sql|txt|py~)", fullmatch=True
)
SCRIPT = b"def migrate(migrator, database, *, fake=False): pass\n"
CONTENTS = st.one_of(
    st.just(SCRIPT),
    st.just(b"\xef\xbb\xbf" + SCRIPT),
    st.just(SCRIPT.replace(b"\n", b"\r\n")),
    st.just(b""),
    st.just(b"CREATE TABLE t (id INTEGER);"),
    st.sampled_from(
        [
            b"def migrate(:",
            b"def Migrate(): pass",
            b"raise SystemExit(3)\n" + SCRIPT,
            b"\0",
            b"import nowhere\n" + SCRIPT,
        ]
    ),
    st.binary(max_size=40),
    st.text(max_size=40).map(lambda text: text.encode("utf-8", "replace")),
)


def run(url: str, folder: Path, *words: str) -> tuple[int, str]:
    out, err = StringIO(), StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = main(["--database-url", url, "--dir", str(folder), *words])
    return code, out.getvalue() + err.getvalue()


def is_sane(code: int, said: str) -> bool:
    return code in (0, 1, 2) and (code == 0 or bool(said.strip())) and "Traceback" not in said


@FUZZ
@given(st.dictionaries(NAMES, CONTENTS, max_size=5))
def test_any_folder_is_deployed_or_refused_in_words(contents: dict[str, bytes]) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder, database = Path(name) / "migrations", Path(name) / "x.db"
        folder.mkdir()
        for file, content in contents.items():
            (folder / file).write_bytes(content)
        url = f"sqlite:///{database}"
        for words in (["validate"], ["status"], ["deploy"], ["status"], ["deploy"]):
            code, said = run(url, folder, *words)
            assert is_sane(code, said), (words, said)


@FUZZ
@given(
    st.lists(
        st.tuples(
            st.one_of(st.none(), st.text(max_size=8), st.sampled_from(["001_a", "002_b", "999_z", "not a name"])),
            st.one_of(
                st.none(), st.sampled_from(["2026-01-01 00:00:00", "2026-01-01T00:00:00+05:00", "soon", 7, b"x"])
            ),
        ),
        max_size=4,
    ),
    st.sampled_from(["name, migrated_at", "name, migrated_at, extra", "migrated_at, name", "name", "id, other"]),
)
def test_any_history_is_understood_or_refused_in_words(history: list[tuple[object, object]], columns: str) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder, database = Path(name) / "migrations", DatabaseUrl("sqlite", str(Path(name) / "x.db"))
        write(folder, "001_a", table("a"))
        write(folder, "002_b", table("b"))
        rows(database, f"CREATE TABLE migratehistory (id INTEGER PRIMARY KEY, {columns.replace('id, ', '')})")
        for values in history:
            if "name" in columns and "migrated_at" in columns:
                rows(database, "INSERT INTO migratehistory (name, migrated_at) VALUES (?, ?)", values)
        for words in (["status"], ["deploy"], ["status", "--json"], ["resolve", "--detect"]):
            code, said = run(as_text(database), folder, *words)
            assert is_sane(code, said), (words, said)


@pytest.mark.parametrize("odd", ["'long'", "'{'", "x'ff00'", "-1", "1e300", "NULL"])
@pytest.mark.parametrize(
    "column",
    [
        *(f"{HISTORY}.{name}" for name in ("name", "migrated_at", *OURS, *ADDED[HISTORY])),
        *(f"{JOURNAL}.{name}" for name in ("action", "migration", "step", "state", "error", "started", "pid", "waits")),
    ],
)
def test_a_column_of_ours_may_hold_anything(sqlite_url: DatabaseUrl, tmp_path: Path, column: str, odd: str) -> None:
    folder = tmp_path / "migrations"
    write(folder, "001_a", table("a"))
    run(as_text(sqlite_url), folder, "deploy")
    where, _, name = column.partition(".")
    with suppress(Exception):  # some are never NULL
        rows(sqlite_url, f"UPDATE {where} SET {name} = {odd}")
    for words in (["status"], ["status", "--json"], ["deploy"], ["journal"], ["journal", "--json"]):
        code, said = run(as_text(sqlite_url), folder, *words)
        assert is_sane(code, said), (words, said)


def symlink_to_itself(folder: Path) -> None:
    (folder / "003_loop.py").symlink_to(folder / "003_loop.py")


def pipe_that_nobody_writes_to(folder: Path) -> None:
    os.mkfifo(folder / "003_pipe.py")


def symlink_to_a_file(folder: Path) -> None:
    (folder.parent / "real.py").write_bytes(SCRIPT)
    (folder / "003_link.py").symlink_to(folder.parent / "real.py")


def folder_with_the_name_of_a_file(folder: Path) -> None:
    (folder / "003_folder.py").mkdir()


def unreadable_file(folder: Path) -> None:
    path = folder / "003_secret.py"
    path.write_bytes(SCRIPT)
    path.chmod(0)


def thousands_of_files(folder: Path) -> None:
    for number in range(3, 2003):
        (folder / f"{number:04}_x.txt").touch()


def huge_number(folder: Path) -> None:
    (folder / f"{'9' * 60}_x.py").write_bytes(SCRIPT)


@pytest.mark.parametrize(
    "strange",
    [
        symlink_to_itself,
        pipe_that_nobody_writes_to,
        symlink_to_a_file,
        folder_with_the_name_of_a_file,
        unreadable_file,
        thousands_of_files,
        huge_number,
    ],
)
def test_strange_things_in_a_folder(sqlite_url: DatabaseUrl, tmp_path: Path, strange: Callable[[Path], None]) -> None:
    folder = tmp_path / "migrations"
    write(folder, "001_a", table("a"))
    strange(folder)
    code, said = run(as_text(sqlite_url), folder, "deploy")
    assert is_sane(code, said), said
    assert ("a" in tables(sqlite_url)) == (code == 0)


@pytest.mark.parametrize(
    "history",
    [
        "CREATE TABLE migratehistory (name INTEGER)",
        "CREATE TABLE migratehistory (id SERIAL, name TEXT, migrated_at TEXT, checksum INTEGER)",
        "CREATE VIEW migratehistory AS SELECT 1 AS id, '001_a' AS name, now() AS migrated_at",
        "CREATE TABLE migratejournal (id INTEGER)",
        "CREATE TABLE migratehistory (id SERIAL, name TEXT, migrated_at TIMESTAMPTZ, release INTEGER, origin TEXT)",
    ],
)
def test_a_history_table_of_another_shape_on_postgresql(
    postgresql_url: DatabaseUrl, tmp_path: Path, history: str
) -> None:
    write(tmp_path / "migrations", "001_a", table("a"))
    rows(postgresql_url, history)
    for words in (["status"], ["deploy"], ["status"]):
        code, said = run(as_text(postgresql_url), tmp_path / "migrations", *words)
        assert is_sane(code, said), (words, said)
