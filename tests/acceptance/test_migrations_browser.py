"""The page of migrations in each state that a database can be in, on a phone, with what there is to copy."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from service.migrate import lock
from service.migrate.errors import MigrationFailed
from service.migrate.runner import deploy
from service.migrate.session import Target
from service.migrate.waits import Wait, as_text
from service.url import ROOT, DatabaseUrl
from tests.support.migrations import rows, table, write
from tests.support.panel import EMAIL, PASSWORD
from tests.support.postgresql import free_port
from tests.support.processes import Start, environment
from tests.support.site import NEEDS_CHROMIUM, PHONE, SCREENSHOTS, Site, sign_in, too_wide

sync_api = pytest.importorskip("playwright.sync_api", reason="the browser tests need playwright")
pytestmark = NEEDS_CHROMIUM

# Panels hide what is wider than they are.
_CUT_OFF = "[...document.querySelectorAll('.panel')].filter(p => p.scrollWidth > p.clientWidth).map(p => p.textContent)"
EDITED = "003_multi_persona"


class Harbour:
    """A panel whose migrations folder can be tampered with, and a phone that shows its page."""

    def __init__(self, site: Site, url: DatabaseUrl, folder: Path, page: Any) -> None:
        self.site, self.url, self.folder, self.page = site, url, folder, page

    def deploy(self) -> None:
        deploy(Target(self.url, self.folder, release="2026.7"))

    def fails(self) -> None:
        with pytest.raises(MigrationFailed):
            self.deploy()

    def shows(self, state: str, *parts: str) -> None:
        self.page.goto("/migrations/")
        for part in parts:
            sync_api.expect(self.page.get_by_text(part).first).to_be_visible()
        assert too_wide(self.page) == 0, state
        assert self.page.evaluate(_CUT_OFF) == [], state
        self.page.screenshot(path=SCREENSHOTS / f"migrations-{state}.png", full_page=True)


@pytest.fixture
def harbour(_copied_sqlite: DatabaseUrl, start: Start, browser: Any, tmp_path: Path) -> Iterator[Harbour]:
    folder, port = tmp_path / "migrations", free_port()
    shutil.copytree(ROOT / "migrations", folder, ignore=shutil.ignore_patterns("__pycache__"))
    env = environment(
        _copied_sqlite, SECRET_KEY="a key of the tests", ADMIN_EMAIL=EMAIL, ADMIN_PASSWORD=PASSWORD, PORT=str(port)
    )
    deploying = env | {"RUN_MIGRATIONS": "true", "MIGRATIONS_DIR": str(folder)}
    start("entrypoints/admin-panel.sh", env=deploying).serves(port)
    site = Site(f"http://127.0.0.1:{port}", browser)
    page = site.open(viewport=PHONE, permissions=["clipboard-read", "clipboard-write"])
    sign_in(page)
    sync_api.expect(page.get_by_role("heading", name="Dashboard")).to_be_visible()
    yield Harbour(site, _copied_sqlite, folder, page)
    site.close()


def test_each_state_is_told_with_the_command_that_helps(harbour: Harbour) -> None:
    for state in (
        _edited,
        _gone,
        _pending,
        _failed,
        _ahead,
        _half_made,
        _broken_with,
        _killed,
        _waited,
        _without_history,
    ):
        state(harbour)
        harbour.shows("current", "Database schema is up to date")
    assert harbour.site.surprises() == []


def _edited(harbour: Harbour) -> None:
    file = harbour.folder / f"{EDITED}.py"
    text = file.read_text()
    file.write_text(f"{text}\n# edited\n")
    harbour.shows("changed", f"{EDITED} was edited after it was applied.", f"migrate resolve --applied {EDITED}")
    file.write_text(text)


def _gone(harbour: Harbour) -> None:
    file = harbour.folder / f"{EDITED}.py"
    file.rename(file.with_suffix(".away"))
    harbour.shows("missing", "but its file is gone.", f"migrate resolve --rolled-back {EDITED}")
    file.with_suffix(".away").rename(file)


def _pending(harbour: Harbour) -> None:
    write(harbour.folder, "900_quays", table("quays"))
    harbour.shows("pending", "1 pending.")
    harbour.page.get_by_role("button", name="Copy: docker compose exec admin-panel migrate deploy").click()
    sync_api.expect(harbour.page.get_by_text("Copied")).to_be_visible()
    copied = harbour.page.evaluate("navigator.clipboard.readText()")
    assert copied == "docker compose exec admin-panel migrate deploy"
    with lock.deploy_lock(harbour.url, seconds=5, on_wait=lambda _holder, _seconds: None):
        harbour.shows("locked", "A deploy is at work (process")
    harbour.deploy()


def _failed(harbour: Harbour) -> None:
    write(harbour.folder, "901_hulls", 'migrator.sql("CREATE TABEL hulls (id INTEGER)")')
    harbour.fails()
    harbour.shows("failed", "The last attempt, deploy of 901_hulls, failed.", "syntax error")
    write(harbour.folder, "901_hulls", table("hulls"))
    harbour.deploy()


def _ahead(harbour: Harbour) -> None:
    text = (harbour.folder / "901_hulls.py").read_text()
    (harbour.folder / "901_hulls.py").unlink()
    harbour.shows("ahead", "The database is ahead of this release by 901_hulls (release 2026.7).")
    (harbour.folder / "901_hulls.py").write_text(text)


def _half_made(harbour: Harbour) -> None:
    step = 'migrator.sql("CREATE TABLE masts (id INTEGER)")'
    write(harbour.folder, "902_masts", f'{step}\nmigrator.sql("CREATE TABEL oops (id)")', top="atomic = False")
    harbour.fails()
    harbour.shows("half-made", "Step 1 of 2 stands; the next deploy goes on from there.")
    write(harbour.folder, "902_masts", f'{step}\nmigrator.sql("CREATE TABLE oars (id INTEGER)")', top="atomic = False")
    harbour.deploy()


def _broken_with(harbour: Harbour) -> None:
    file = write(harbour.folder, "903_keels", table("keels"), top="breaking = True")
    text = file.read_text()
    harbour.deploy()
    file.unlink()
    harbour.shows("breaking", "it broke with releases that do not know it", "git checkout 2026.7")
    file.write_text(text)


def _killed(harbour: Harbour) -> None:
    values = "('deploy', '904_sails', 0, 0, 'running', '2026-11-21 08:00:00', 'harbour', 7)"
    names = "action, migration, step, steps, state, started, host, pid"
    rows(harbour.url, f"INSERT INTO migratejournal ({names}) VALUES {values}")
    harbour.shows("killed", "The deploy of 904_sails was killed (host harbour, process 7).")
    write(harbour.folder, "904_sails", table("sails"))
    harbour.deploy()


def _waited(harbour: Harbour) -> None:
    write(harbour.folder, "905_waves", table("waves"))
    harbour.deploy()
    whom = (
        "server process 4711 (reporting web-1/12, idle in transaction for 45 s: SELECT count(*) FROM messages WHERE ?)"
    )
    kept = as_text([Wait("locks", 38.2, (whom,), 3)])
    rows(harbour.url, "UPDATE migratejournal SET waits = ? WHERE migration = '905_waves'", [kept])
    rows(harbour.url, "UPDATE migratehistory SET duration_ms = 41000, waited_ms = 38200 WHERE name = '905_waves'")
    harbour.shows("waited", "Waited 38.2 s for server process 4711", ", and gave way 3 times", "38.2 s waiting")


def _without_history(harbour: Harbour) -> None:
    _rename(harbour.url, "migratehistory", "history_elsewhere")
    harbour.shows("no-history", "This database has a past.", "migrate resolve --detect")
    _rename(harbour.url, "history_elsewhere", "migratehistory")


def _rename(url: DatabaseUrl, old: str, new: str) -> None:
    rows(url, f"ALTER TABLE {old} RENAME TO {new}")
