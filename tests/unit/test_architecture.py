"""The arrows between the rooms: admin, bot -> telegram -> chat -> models -> database; migrate stands alone."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from service.url import ROOT

SERVICE = ROOT / "service"
# What a room may import of service, besides itself. `url` and `environment` are leaves.
ALLOWED = {
    "url": set(),
    "environment": set(),
    "log": set(),
    "faults": {"url"},
    "config": {"url", "environment"},
    "database": {"url"},
    "models": {"database"},
    "limits": {"models", "database"},
    "audit": {"models"},
    "chat": {"models", "database"},
    "telegram": {"chat", "models", "database"},
    "migrate": {"url"},
    "seed": {"chat", "models", "database", "config"},
    "bot": {"telegram", "chat", "models", "database", "config", "faults", "url", "limits", "log"},
    "api": {"chat", "models", "database", "config", "faults", "limits", "audit", "url"},
    "admin": {
        "api",
        "telegram",
        "chat",
        "models",
        "database",
        "config",
        "faults",
        "limits",
        "audit",
        "migrate",
        "url",
        "log",
    },
}
# The edge of the runner is where its process starts, so it reads the settings.
EDGES = {
    "migrate/cli.py": {"environment"},
    "migrate/glance.py": {"environment"},
    "migrate/command/console.py": {"config"},
    "migrate/command/commands.py": {"config"},
    "migrate/command/authoring.py": {"config"},
}


def modules() -> list[Path]:
    return sorted(SERVICE.rglob("*.py"))


def imported_rooms(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return {name.split(".")[1] for name in names if name.startswith("service.")}


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(SERVICE)))
def test_imports_point_one_way(path: Path) -> None:
    inside = path.relative_to(SERVICE)
    room = inside.parts[0].removesuffix(".py")
    if room == "__init__":
        assert imported_rooms(path) == set()
        return
    allowed = ALLOWED[room] | {room} | EDGES.get(inside.as_posix(), set())
    assert imported_rooms(path) - allowed == set()


def test_what_pages_are_made_of_knows_no_page() -> None:
    pages = ("chatbots", "conversations", "desk", "people", "schema", "studio")
    for path in [*(SERVICE / "admin/parts").glob("*.py"), *(SERVICE / "admin/access").glob("*.py")]:
        text = path.read_text("utf-8")
        assert not [page for page in pages if f"service.admin.{page}" in text], path


def test_the_runner_knows_nothing_of_its_command_line() -> None:
    runner = SERVICE / "migrate"
    for path in runner.rglob("*.py"):
        if path.parent != runner / "command" and path != runner / "cli.py":
            assert "service.migrate.command" not in path.read_text("utf-8"), path


def test_every_room_is_known() -> None:
    rooms = {path.relative_to(SERVICE).parts[0].removesuffix(".py") for path in modules()} - {"__init__"}
    assert rooms == set(ALLOWED)


FORBIDDEN = {
    "chat": ("flask", "telegram"),
    "models": ("flask", "telegram", "peewee_migrate"),
    "migrate": ("flask", "telegram"),
    "bot": ("flask",),
    "telegram": ("flask",),
}


@pytest.mark.parametrize("room", FORBIDDEN)
def test_a_room_does_not_know_what_is_not_its_business(room: str) -> None:
    for path in (SERVICE / room).rglob("*.py"):
        text = path.read_text("utf-8")
        for name in FORBIDDEN[room]:
            assert f"import {name}" not in text, path
            assert f"from {name}" not in text, path


def test_only_the_verbs_know_peewee_migrates_inside() -> None:
    users = {path.name for path in modules() if "from peewee_migrate" in path.read_text("utf-8").split("_TEMPLATE")[0]}
    assert users == {"alter.py", "sqlite.py", "verbs.py"}


def test_the_environment_is_read_in_one_place() -> None:
    readers = {path.name for path in modules() if "os.environ" in path.read_text("utf-8")}
    assert readers == {"environment.py"}


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(SERVICE)))
def test_only_the_command_line_prints_and_exits(path: Path) -> None:
    if path.name in ("cli.py", "console.py", "commands.py", "authoring.py", "terminal.py", "__main__.py"):
        return
    calls = [node.func for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Call)]
    assert not [call for call in calls if isinstance(call, ast.Name) and call.id == "print"]
    assert "sys.exit(" not in path.read_text("utf-8")
