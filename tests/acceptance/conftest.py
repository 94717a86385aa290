"""Processes in the background that no test leaves behind, and a panel in a browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from service.url import DatabaseUrl
from tests.support.panel import EMAIL, PASSWORD
from tests.support.postgresql import free_port
from tests.support.processes import Process, Start, environment
from tests.support.site import CHROMIUM, PATIENCE, Site


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts a process in the background; whatever still runs at the end of the test is ended."""
    running: list[Process] = []

    def begin(*command: str, env: dict[str, str]) -> Process:
        running.append(Process(*command, env=env, log=tmp_path / f"{len(running)}.log"))
        return running[-1]

    yield begin
    for process in running:
        process.clean_up()


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    sync_api = pytest.importorskip("playwright.sync_api", reason="the browser tests need playwright")
    with sync_api.sync_playwright() as playwright:
        # The sandbox can't start as root or in most containers; the pages are our own.
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"], timeout=PATIENCE)
        sync_api.expect.set_options(timeout=PATIENCE)
        yield chromium
        chromium.close()


@pytest.fixture
def furnished_url(_copied_sqlite: DatabaseUrl) -> DatabaseUrl:
    """An SQLite database with the full schema: a panel on it has nothing to migrate."""
    return _copied_sqlite


@pytest.fixture
def site(furnished_url: DatabaseUrl, start: Start, browser: Any) -> Iterator[Site]:
    """The panel as it is after its first start on a database with a schema: one user, one chatbot."""
    port = free_port()
    settings = {"SECRET_KEY": "a key of the tests", "ADMIN_EMAIL": EMAIL, "ADMIN_PASSWORD": PASSWORD, "PORT": str(port)}
    env = environment(furnished_url, **settings)
    start("entrypoints/admin-panel.sh", env=env | {"RUN_MIGRATIONS": "true"}).serves(port)
    opened = Site(f"http://127.0.0.1:{port}", browser, lambda: start("entrypoints/bot.sh", env=env))
    yield opened
    opened.close()
