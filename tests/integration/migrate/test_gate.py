"""Who waits at the gate: it hears each reason once, and goes through as soon as the schema is there."""

from __future__ import annotations

from pathlib import Path

import pytest

from service.migrate import gate, runner
from service.url import DatabaseUrl
from tests.support.migrations import table, target, write


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "migrations"
    write(folder, "001_a", table("a"))
    write(folder, "002_b", table("b"))
    return folder


def test_each_reason_is_told_once_however_often_it_is_asked(
    database_url: DatabaseUrl, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between two looks nothing happens, or a migration is applied; each pause is one look."""
    meanwhile = iter([None, None, 1, None, 1])
    monkeypatch.setattr(gate, "_PAUSE", 0.0)
    monkeypatch.setattr(
        "service.migrate.gate.time.sleep",
        lambda _seconds: (count := next(meanwhile)) and runner.deploy(target(database_url, folder), only=count),
    )
    told: list[str] = []
    verdict = gate.wait(database_url, folder, 3600, on_wait=told.append)
    assert verdict == (True, (), "The schema is current.")
    assert told == [
        "The schema is not current: 001_a, 002_b missing.",
        "The schema is not current: 002_b missing.",
    ]


def test_who_has_no_time_gets_the_reason_at_once(database_url: DatabaseUrl, folder: Path) -> None:
    verdict = gate.wait(database_url, folder, 0)
    assert verdict == (False, ("001_a", "002_b"), "The schema is not current: 001_a, 002_b missing.")
