"""The page in each state that a database can be in, made by the real runner."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from service.migrate.errors import MigrationFailed
from service.migrate.runner import Target, deploy
from service.url import ROOT, DatabaseUrl
from tests.support.panel import ONE_ENGINE, Browser, panel, signed_in

NEWEST = max(path.stem for path in (ROOT / "migrations").glob("[0-9]*.py"))
NEXT = """
def migrate(migrator, database, *, fake=False):
    migrator.sql("CREATE TABLE quays (id INTEGER PRIMARY KEY)")

def rollback(migrator, database, *, fake=False):
    migrator.sql("DROP TABLE quays")
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The service's migrations, to be tampered with."""
    copied = tmp_path / "migrations"
    shutil.copytree(ROOT / "migrations", copied, ignore=shutil.ignore_patterns("__pycache__"))
    return copied


@pytest.fixture
def browser(service_database: DatabaseUrl, folder: Path) -> Browser:
    return signed_in(panel(service_database, folder))


def test_all_is_well_when_everything_is_applied(browser: Browser, folder: Path) -> None:
    page = browser.read("/migrations/")
    assert f"Database schema is up to date: {len(list(folder.glob('*.py')))} migrations." in page
    assert page.index(NEWEST) < page.index("001_initial"), "the latest first"
    assert "docker compose exec" not in page, "there is nothing to run"
    assert page.count(">done</span>") == len(list(folder.glob("*.py"))), "the journal"


def test_a_pending_migration_comes_with_the_command_that_applies_it(
    browser: Browser, folder: Path, service_database: DatabaseUrl
) -> None:
    (folder / "900_quays.py").write_text(NEXT)
    page = browser.read("/migrations/")
    assert "<strong>1 pending.</strong>" in page
    assert "docker compose exec admin-panel migrate deploy" in page
    ready = browser.get("/readyz")
    assert ready.status_code == 503
    assert ready.json
    assert ready.json["pending"] == ["900_quays"]
    deploy(Target(service_database, folder))
    page = browser.read("/migrations/")
    assert f"Database schema is up to date: {len(list(folder.glob('*.py')))} migrations." in page
    assert browser.get("/readyz").status_code == 200


@ONE_ENGINE
def test_an_edited_migration_is_named_with_its_remedy(browser: Browser, folder: Path) -> None:
    with (folder / "003_multi_persona.py").open("a") as file:
        file.write("\nEDITED = True\n")
    page = browser.read("/migrations/")
    assert "003_multi_persona was edited after it was applied." in page
    assert "up to date" not in page
    assert ">changed</span>" in page


@ONE_ENGINE
def test_a_file_that_is_gone_is_named_with_the_command_that_forgets_it(browser: Browser, folder: Path) -> None:
    (folder / "003_multi_persona.py").unlink()
    page = browser.read("/migrations/")
    assert "003_multi_persona is applied, but its file is gone." in page
    assert "<code>migrate resolve --rolled-back 003_multi_persona</code>" in page
    assert ">missing</span>" in page


@ONE_ENGINE
def test_a_database_ahead_of_the_release_is_no_alarm(browser: Browser, folder: Path) -> None:
    (folder / f"{NEWEST}.py").unlink()
    page = browser.read("/migrations/")
    assert "The database is ahead of this release" in page
    assert ">ahead</span>" in page
    assert "note-danger" not in page
    assert browser.get("/readyz").status_code == 200


def test_a_failed_attempt_shows_its_error_until_it_is_overcome(
    browser: Browser, folder: Path, service_database: DatabaseUrl
) -> None:
    (folder / "900_quays.py").write_text(NEXT.replace("quays (id", "quays (id <oops>"))
    with pytest.raises(MigrationFailed):
        deploy(Target(service_database, folder))
    page = browser.read("/migrations/")
    assert "The last attempt, 900_quays, failed." in page
    assert ">failed</span>" in page
    assert "&lt;" in page, "the error is shown, escaped"
    (folder / "900_quays.py").write_text(NEXT)
    deploy(Target(service_database, folder))
    page = browser.read("/migrations/")
    assert "The last attempt" not in page
    assert ">failed</span>" in page, "the journal remembers"


@ONE_ENGINE
def test_a_folder_that_misleads_is_explained_instead_of_guessed_at(browser: Browser, folder: Path) -> None:
    shutil.copy(folder / f"{NEWEST}.py", folder / f"{NEWEST[:3]}_twin.py")
    response = browser.get("/migrations/")
    assert response.status_code == 503
    assert f"{NEWEST[:3]}_twin" in response.text
    assert "docker compose exec admin-panel migrate status" in response.text
