"""Which database and which folder: said before the command or behind it."""

from __future__ import annotations

from pathlib import Path

import pytest

from service.migrate.cli import main
from service.url import DatabaseUrl
from tests.support.migrations import applied, table, write
from tests.support.processes import as_text


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("001_a", "002_b"):
        write(tmp_path / "migrations", name, table(name[-1]))
    return tmp_path / "migrations"


@pytest.mark.parametrize("word", ["deploy", "status", "journal", "validate", "verify", "wait"])
def test_database_and_folder_may_be_named_behind_the_command_too(
    database_url: DatabaseUrl, folder: Path, capsys: pytest.CaptureFixture[str], word: str
) -> None:
    """On both ways: the glance of a deploy or a status without work, and that of argparse."""
    url, where = ["--database-url", as_text(database_url)], ["--dir", str(folder)]
    main([*url, *where, "deploy"])
    expected = (main([*url, *where, word]), capsys.readouterr().out.splitlines()[-1:])
    for words in ([word, *url, *where], [*url, word, *where], [*where, word, f"--database-url={url[1]}"]):
        assert (main(words), capsys.readouterr().out.splitlines()[-1:]) == expected


def test_what_stands_behind_the_command_goes_before_what_stands_before_it(
    database_url: DatabaseUrl, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    behind = ["--database-url", as_text(database_url), "--dir", str(folder)]
    for more in ([], ["--lock-wait", "5"]):
        assert main(["--database-url", "sqlite:////nowhere/x.db", "--dir", "/nowhere", "deploy", *behind, *more]) == 0
    assert applied(database_url) == ["001_a", "002_b"]


def test_the_help_of_each_command_names_them(capsys: pytest.CaptureFixture[str]) -> None:
    for words in ([], ["deploy"], ["verify"], ["resolve"]):
        with pytest.raises(SystemExit):
            main([*words, "--help"])
        said = capsys.readouterr().out
        assert said.count("--database-url URL") == said.count("--dir FOLDER") == 2
