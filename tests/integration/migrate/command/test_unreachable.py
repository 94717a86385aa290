"""A database that can't be reached, as a person meets it: named, without its password, and with what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from service.url import DatabaseUrl
from tests.support.command import Command
from tests.support.migrations import table, write


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write(tmp_path / "migrations", "001_a", table("a")).parent


@pytest.mark.parametrize("words", [["status"], ["deploy"], ["wait", "--timeout", "0"]])
def test_an_unreachable_database_is_named_without_its_password(
    folder: Path, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    url = DatabaseUrl("postgresql", "bot", host="127.0.0.1", port=1, user="ann", password="hunter2")
    waits = [] if words[0] == "wait" else ["--wait", "0"]
    said = Command(url, folder, capsys)(*words, *waits)
    assert said.code == 2
    assert said.err.startswith('Can\'t reach PostgreSQL database "bot" at 127.0.0.1:1 as user "ann" after 1 attempt: ')
    assert "hunter2" not in said.err + said.out


def test_each_attempt_to_connect_is_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    url = DatabaseUrl("postgresql", "bot", host="127.0.0.1", port=1)
    said = Command(url, folder, capsys)("deploy", "--wait", "2.5")
    assert "Waiting for the database, attempt 1: Connection refused" in said.err.replace("connection", "Connection")
    assert "after 2 attempts" in said.err


def test_a_database_that_is_missing_and_a_wrong_password_are_told_apart(
    postgresql_url: DatabaseUrl, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = Command(postgresql_url._replace(name="nowhere"), folder, capsys)("deploy", "--wait", "0")
    assert 'database "nowhere" does not exist' in said.err
    said = Command(postgresql_url._replace(user="nobody_here"), folder, capsys)("deploy", "--wait", "0")
    assert "nobody_here" in said.err
    assert said.code == 2


def test_a_file_that_is_no_database_is_named_at_once(
    tmp_path: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Waiting would not make it one, however long the wait that is allowed."""
    (tmp_path / "notes.txt").write_text("not a database, but long enough to be read as one " * 10)
    said = Command(DatabaseUrl("sqlite", str(tmp_path / "notes.txt")), folder, capsys)("deploy", "--wait", "60")
    assert (said.code, said.err.strip()) == (
        2,
        f"Can't reach SQLite database {tmp_path}/notes.txt after 1 attempt: file is not a database."
        " It is another file, or an encrypted one: correct DATABASE_URL.",
    )


def test_a_folder_that_can_not_be_made_is_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = Command(DatabaseUrl("sqlite", "/proc/nowhere/x.db"), folder, capsys)("deploy", "--wait", "60")
    assert said.code == 2
    assert "/proc/nowhere/x.db after 1 attempt: No such file or directory." in said.err
