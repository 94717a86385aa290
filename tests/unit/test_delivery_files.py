"""What the delivery files promise, read from the files themselves."""

from __future__ import annotations

import re
import tomllib

import pytest

from service.url import ROOT

BASE, LOCAL = (ROOT / "docker-compose.yml").read_text(), (ROOT / "docker-compose.override.yml").read_text()
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
WANTED = {
    "requirements.txt": PYPROJECT["dependencies"],
    "requirements-dev.txt": PYPROJECT["dependencies"] + PYPROJECT["optional-dependencies"]["dev"],
}


def names(requirements: list[str]) -> set[str]:
    return {re.split(r"[^a-z0-9-]", line.lower())[0] for line in requirements}


@pytest.mark.parametrize("file", WANTED)
def test_every_dependency_is_pinned(file: str) -> None:
    lines = (ROOT / "docker" / file).read_text().splitlines()
    pinned = [line for line in lines if re.match(r"[a-z0-9-]+==\S+ ", line)]
    assert names(WANTED[file]) <= names(pinned)


@pytest.mark.parametrize("file", WANTED)
def test_every_pin_has_a_hash_and_no_line_names_an_index(file: str) -> None:
    text = (ROOT / "docker" / file).read_text()
    for block in re.split(r"\n(?=[a-z0-9])", text):
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", block), block
    assert "://" not in text
    assert not re.search(r"^\s*--(?!hash)", text, re.MULTILINE)


def test_the_base_file_leaves_names_and_host_ports_to_the_platform() -> None:
    assert "container_name" not in BASE
    assert "ports:" not in BASE


def test_the_local_port_is_open_on_the_loopback_address_only() -> None:
    assert re.findall(r'- "([^"]*)"', LOCAL) == ["127.0.0.1:${PORT:-8000}:8000"]


def test_every_setting_of_the_compose_files_is_explained() -> None:
    explained = (ROOT / "docker" / "env.example").read_text()
    for name in set(re.findall(r"\$\{([A-Z_]+)", BASE + LOCAL)):
        assert re.search(rf"\b{name}\b", explained), name


def test_only_the_panel_may_migrate() -> None:
    _before, panel, bot = re.split(r"\n  (?:admin-panel|bot):\n", BASE)
    assert "RUN_MIGRATIONS" in panel
    assert "RUN_MIGRATIONS" not in bot
    assert "migrate deploy" not in (ROOT / "entrypoints" / "bot.sh").read_text()
