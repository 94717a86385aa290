"""Drafts of migrations for models that a test makes up."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import peewee as pw

from service.migrate import runner
from service.migrate.drafting import draft
from service.migrate.drafting.draft import Written
from service.migrate.drafting.renames import Wishes
from service.url import DatabaseUrl
from tests.support.migrations import target


class Studio:
    """A folder of migrations, and the database that they are for."""

    def __init__(self, url: DatabaseUrl, folder: Path) -> None:
        self.url, self.folder = url, folder / "migrations"

    def draft(self, *models: type[pw.Model], wishes: Wishes | None = None) -> Written | None:
        return draft.create(self.url, self.folder, "change", list(models), wishes or Wishes())

    def perfect(self, *models: type[pw.Model], wishes: Wishes | None = None) -> str:
        """The text of a draft with which nothing is wrong: nothing is different after it or after its rollback, the
        next draft is empty, and it is laid out as it should be."""
        written = self.draft(*models, wishes=wishes)
        assert written is not None
        text = written.path.read_text()
        assert written.notes == (), "\n".join([*written.notes, text])
        assert self.draft(*models) is None, text  # which is refused where something is left
        return text

    def differences(self, *models: type[pw.Model]) -> list[str]:
        return draft.differences(self.url, self.folder, list(models))

    def deploy(self) -> None:
        runner.deploy(target(self.url, self.folder))

    def roll_back(self) -> None:
        runner.rollback(target(self.url, self.folder), confirm=lambda _names: None)


def ruff_complains(folder: Path) -> str:
    """What ruff would change or not accept in the files of a folder."""
    ruff = Path(sys.executable).with_name("ruff")
    options = ["--config", "pyproject.toml", "--no-cache"]
    ignore = ["--extend-per-file-ignores", "*.py:ARG001"]
    commands = (["format", "--diff", *options], ["check", "--quiet", *options, *ignore])
    done = [subprocess.run([str(ruff), *words, str(folder)], capture_output=True, text=True) for words in commands]
    return "".join(one.stdout + one.stderr for one in done if one.returncode)
