"""The `migrate` command in this process."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest

from service.migrate.cli import main
from service.url import DatabaseUrl
from tests.support.processes import as_text


class Said(NamedTuple):
    code: int
    out: str
    err: str


class Command:
    """`migrate` with a database and a folder, run in this process."""

    def __init__(self, url: DatabaseUrl, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self._words = ["--database-url", as_text(url), "--dir", str(folder)]
        self._capsys = capsys

    def __call__(self, *words: str) -> Said:
        code = main([*self._words, *words])
        return Said(code, *self._capsys.readouterr())
