"""A migrations folder, read: what is taken, what is refused, and in which words."""

from __future__ import annotations

from pathlib import Path

import pytest

from service.migrate import files
from service.migrate.errors import Refused
from tests.support.migrations import write


def test_migrations_come_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    for name in ("1000_d", "002_b", "10_c", "001_a"):
        write(tmp_path, name)
    assert [file.name for file in files.scan(tmp_path)] == ["001_a", "002_b", "10_c", "1000_d"]


def test_a_timestamp_is_a_number_too(tmp_path: Path) -> None:
    write(tmp_path, "20261121_x")
    assert files.scan(tmp_path)[0].number == 20261121


def test_other_files_are_left_alone(tmp_path: Path) -> None:
    for name in ("README.md", "__init__.py", "_helpers.py", ".hidden.py", "notes.txt"):
        (tmp_path / name).write_text("x")
    (tmp_path / "__pycache__").mkdir()
    assert files.scan(tmp_path) == ()


@pytest.mark.parametrize("name", ["002-dash.py", "initial.py", "x01_a.sql", "001_.py", "001_a.b.py"])
def test_a_name_that_does_not_parse_is_refused_not_ignored(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("")
    with pytest.raises(Refused, match="does not look like a migration"):
        files.scan(tmp_path)


def test_two_files_with_one_number_are_refused(tmp_path: Path) -> None:
    write(tmp_path, "001_a")
    (tmp_path / "01_b.sql").write_text("SELECT 1")
    with pytest.raises(Refused) as refusal:
        files.scan(tmp_path)
    assert str(refusal.value) == (
        "001_a.py and 01_b.sql have the same number. "
        "Give the one that no database has applied yet the next free number."
    )


def test_every_problem_of_a_folder_is_told_at_once(tmp_path: Path) -> None:
    for name in ("one.py", "two.py"):
        (tmp_path / name).write_text("")
    with pytest.raises(Refused) as refusal:
        files.scan(tmp_path)
    assert [problem.migration for problem in refusal.value.problems] == ["one", "two"]


def test_a_folder_that_is_not_there_is_refused_and_not_made(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="There is no migrations folder"):
        files.scan(tmp_path / "nowhere")
    assert not (tmp_path / "nowhere").exists()


def test_the_checksum_does_not_see_line_ends(tmp_path: Path) -> None:
    (tmp_path / "001_a.sql").write_bytes(b"SELECT 1;\r\nSELECT 2;\r\n")
    (tmp_path / "002_b.sql").write_bytes(b"SELECT 1;\nSELECT 2;\n")
    (tmp_path / "003_c.sql").write_bytes(b"SELECT 1;\nSELECT  2;\n")
    first, second, third = (file.checksum for file in files.scan(tmp_path))
    assert first == second != third


def test_an_sql_migration_knows_what_undoes_it(tmp_path: Path) -> None:
    for name in ("001_a.sql", "001_a.down.sql", "002_b.sql"):
        (tmp_path / name).write_text("SELECT 1")
    first, second = files.scan(tmp_path)
    assert (first.down, second.down) == (tmp_path / "001_a.down.sql", None)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("def Migrate(migrator, database, *, fake=False): pass", "has no function migrate. Rename Migrate to migrate."),
        ("x = 1", "has no function migrate. Define `def migrate"),
        ("", "has no function migrate"),
        ("def migrate(:", "is not valid Python in line 1"),
        ("def migrate(): pass\n\n  x", "is not valid Python in line 3"),
        ("x = '\0'", "is not valid Python"),
    ],
)
def test_what_is_wrong_inside_a_file_is_found_without_running_it(tmp_path: Path, text: str, what: str) -> None:
    (tmp_path / "001_a.py").write_text(text)
    (problem,) = files.review(files.scan(tmp_path)[0])
    assert what in str(problem)


def test_a_file_that_is_not_utf8_is_named(tmp_path: Path) -> None:
    (tmp_path / "001_a.py").write_bytes("# caf\xe9".encode("latin-1"))
    (problem,) = files.review(files.scan(tmp_path)[0])
    assert str(problem) == "001_a.py is not UTF-8 text. Save it as UTF-8."


def test_a_byte_order_mark_does_no_harm(tmp_path: Path) -> None:
    path = write(tmp_path, "001_a")
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    (file,) = files.scan(tmp_path)
    assert files.review(file) == []
    files.load(file)


@pytest.mark.parametrize(
    ("name", "text", "flags"),
    [
        ("001_a.py", "def migrate(): pass", (True, False)),
        ("001_a.py", "atomic = False\nbreaking = True\ndef migrate(): pass", (False, True)),
        ("001_a.py", "def migrate():\n    atomic = False", (True, False)),
        ("001_a.sql", "-- atomic: false\nSELECT 1", (False, False)),
        ("001_a.sql", "-- a word\n-- Breaking = true\nSELECT 1", (True, True)),
        ("001_a.sql", "SELECT '-- atomic: false'", (True, False)),
    ],
)
def test_flags_stand_at_the_top_level_of_a_file(tmp_path: Path, name: str, text: str, flags: tuple[bool, bool]) -> None:
    (tmp_path / name).write_text(text)
    outline = files.outline(files.scan(tmp_path)[0])
    assert (outline.atomic, outline.breaking) == flags


@pytest.mark.parametrize(
    ("existing", "title", "name"),
    [
        ([], "Add color", "001_add_color"),
        (["001_a", "007_b"], "add-color!", "008_add_color"),
        (["999_a"], "x", "1000_x"),
        (["00001_a"], "x", "00002_x"),
        (["20261121_a"], "x", "20261122_x"),
    ],
)
def test_the_next_number_follows_the_newest_not_the_count(
    tmp_path: Path, existing: list[str], title: str, name: str
) -> None:
    for each in existing:
        write(tmp_path, each)
    assert files.next_name(files.scan(tmp_path), title) == name


def test_a_title_without_a_letter_makes_no_name() -> None:
    with pytest.raises(Refused, match="makes no file name"):
        files.next_name((), " -!- ")
    with pytest.raises(Refused, match="makes no file name"):
        files.next_name((), "x" * 201)
