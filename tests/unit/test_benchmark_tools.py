"""The benchmarks' own virtual environment."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import tools


def test_an_environment_that_is_installed_already_starts_the_command_as_it_starts_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "lib" / "python3" / "site-packages").mkdir(parents=True)
    (tmp_path / "installed.txt").write_text(tools.REQUIREMENTS.read_text("utf-8"), "utf-8")
    script = tmp_path / "bin" / "migrate"
    script.write_text("from service.migrate.cli import main\n", "utf-8")
    monkeypatch.setattr(tools, "VENV", tmp_path)
    tools.install()
    assert "from service.migrate.cli import run" in script.read_text("utf-8")
