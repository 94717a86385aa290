"""The connection that a glance has opened to PostgreSQL is the one that a deploy works on."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from service.migrate.cli import main
from service.migrate.connection import HOST, connect
from service.migrate.heal import APPLICATION
from service.migrate.runner import deploy
from service.url import DatabaseUrl
from tests.support.migrations import applied, rows, table, target, write
from tests.support.processes import as_text, eventually

NAMED = """
def name():
    asked = database.execute_sql("SELECT application_name FROM pg_stat_activity WHERE pid = pg_backend_pid()")
    database.execute_sql("INSERT INTO named VALUES (%s)", asked.fetchone())

migrator.sql("CREATE TABLE IF NOT EXISTS named (name text)")
migrator.sql("SET lock_timeout = 0")
migrator.run(name)
"""
DEPLOYS = "SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'slipway-migrate-deploy%'"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What one has set is reset before the next one; the name is not."""
    for number in (1, 2):
        write(tmp_path / "migrations", f"00{number}_named", NAMED)
    return tmp_path / "migrations"


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What has been connected as, from now on."""
    names: list[str] = []
    really = psycopg2.connect

    def noted(*arguments: Any, **options: Any) -> Any:
        names.append(options["application_name"].partition(" ")[0])
        return really(*arguments, **options)

    monkeypatch.setattr(psycopg2, "connect", noted)
    return names


def test_a_deploy_opens_one_connection_more_for_its_lock(
    postgresql_url: DatabaseUrl, folder: Path, opened: list[str]
) -> None:
    assert main(["--database-url", as_text(postgresql_url), "--dir", str(folder), "deploy"]) == 0
    assert opened == ["slipway-migrate-deploy", "slipway-migrate-lock"]


def test_the_server_knows_it_by_the_name_of_a_deploy(postgresql_url: DatabaseUrl, folder: Path) -> None:
    """By which the next deploy finds what this one leaves behind when it is killed."""
    main(["--database-url", as_text(postgresql_url), "--dir", str(folder), "deploy"])
    assert rows(postgresql_url, "SELECT name FROM named") == [(f"{APPLICATION} {HOST}/{os.getpid()}",)] * 2


def test_one_that_is_lost_meanwhile_is_replaced(postgresql_url: DatabaseUrl, folder: Path, opened: list[str]) -> None:
    left = connect(postgresql_url).raw
    left.close()
    deploy(target(postgresql_url, folder, left=left))
    assert applied(postgresql_url) == ["001_named", "002_named"]
    assert opened.count(APPLICATION) == 1


def test_without_work_none_stays_open(postgresql_url: DatabaseUrl, tmp_path: Path) -> None:
    write(tmp_path / "migrations", "001_a", table("a"))
    deploy(target(postgresql_url, tmp_path / "migrations"))
    assert main(["--database-url", as_text(postgresql_url), "--dir", str(tmp_path / "migrations"), "deploy"]) == 0
    eventually(lambda: rows(postgresql_url, DEPLOYS) == [])
