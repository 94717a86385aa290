"""Verify, on demand: in a process of its own, with a time limit, and without changing anything."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import pytest

from service.admin.schema import migrations, verification
from service.database import proxy
from service.models import VIEWER
from service.url import ROOT, DatabaseUrl
from tests.support.migrations import rows
from tests.support.panel import ONE_ENGINE, Browser, add_user, panel, signed_in
from tests.support.processes import HANGS


@pytest.fixture
def browser(service_database: DatabaseUrl) -> Browser:
    return signed_in(panel(service_database, ROOT / "migrations"))


def test_a_schema_without_drift_is_said_to_be_what_the_migrations_make(browser: Browser) -> None:
    page = browser.read("/migrations/verify")
    assert "Everything is as the migrations say" in page
    assert "Chatbots with versions" in page, "the checks of the migrations"


def test_drift_is_shown_line_by_line_and_left_as_it_is(browser: Browser, service_database: DatabaseUrl) -> None:
    rows(service_database, "ALTER TABLE personas ADD COLUMN mood VARCHAR(20)")
    rows(service_database, "DROP TABLE usage_days")
    page = browser.read("/migrations/verify")
    assert "table usage_days is missing" in page
    assert "personas: column mood is not expected" in page
    assert "docker compose exec admin-panel migrate verify --repair" in page
    assert not proxy.obj.table_exists("usage_days"), "it repairs nothing itself"


@ONE_ENGINE
def test_drift_that_nothing_could_add_leads_to_a_migration(browser: Browser, service_database: DatabaseUrl) -> None:
    rows(service_database, "ALTER TABLE personas ADD COLUMN mood VARCHAR(20)")
    page = browser.read("/migrations/verify")
    assert "Nothing is missing that could be added." in page
    assert "verify --repair" not in page


@ONE_ENGINE
def test_what_a_newer_release_changed_leads_to_that_release(browser: Browser, service_database: DatabaseUrl) -> None:
    rows(service_database, "INSERT INTO migratehistory (name, migrated_at) VALUES ('999_newer', '2026-01-01')")
    rows(service_database, "CREATE TABLE of_a_newer_one (id INTEGER)")
    said = browser.get("/migrations/verify").text
    assert "Applied, but without a file here: 999_newer." in said
    assert "migrate create put_it_right" not in said


def test_a_verification_that_takes_too_long_is_ended(service_database: DatabaseUrl, tmp_path: Path) -> None:
    folder = tmp_path / "migrations"
    shutil.copytree(ROOT / "migrations", folder, ignore=shutil.ignore_patterns("__pycache__"))
    with (folder / "001_initial.py").open("a") as file:
        file.write("\nimport time; time.sleep(600)\n")
    began = time.monotonic()
    with pytest.raises(verification.Failed, match=r"No answer within 2 s, so the verification was stopped\."):
        verification.verified(service_database, folder, 2)
    assert time.monotonic() - began < HANGS


@ONE_ENGINE
def test_what_can_not_be_verified_says_why(service_database: DatabaseUrl) -> None:
    response = signed_in(panel(service_database, "/nowhere/migrations")).get("/migrations/verify")
    assert response.status_code == 503
    assert "There is no migrations folder /nowhere/migrations" in response.text
    assert "docker compose exec admin-panel migrate verify" in response.text


@ONE_ENGINE
def test_who_only_looks_may_not_set_the_machine_to_work(
    service_database: DatabaseUrl, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = panel(service_database, ROOT / "migrations")
    add_user("vera@example.org", role=VIEWER)
    vera = signed_in(app, "vera@example.org")
    assert "/migrations/verify" not in vera.read("/migrations/")
    assert vera.get("/migrations/verify").status_code == 403
    monkeypatch.setattr(migrations, "VERIFICATIONS_A_MINUTE", 0)
    assert signed_in(app).get("/migrations/verify").status_code == 429
