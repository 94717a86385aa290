"""The page in each state that a database can be in, made by the real runner."""

from __future__ import annotations

import re
import shutil
import signal
from contextlib import closing
from pathlib import Path

import pytest
from markupsafe import escape

from service.database import proxy
from service.migrate import lock
from service.migrate.connection import connect
from service.migrate.errors import MigrationFailed, Unclear
from service.migrate.patience import Patience
from service.migrate.runner import deploy, resolve
from service.migrate.session import Target
from service.url import ROOT, DatabaseUrl
from tests.support.blockers import meanwhile
from tests.support.migrations import rows, write
from tests.support.panel import ONE_ENGINE, Browser, panel, signed_in
from tests.support.postgresql import Server
from tests.support.processes import HANGS, environment, eventually, run

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


def badge(browser: Browser) -> str:
    """What the dashboard says of the schema."""
    found = re.search(r">Schema</a>\s*<span[^>]*>([^<]+)<", browser.read("/"))
    assert found
    return found[1]


def test_all_is_well_when_everything_is_applied(browser: Browser, folder: Path) -> None:
    assert badge(browser) == "up to date"
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


def test_an_edited_comment_is_accepted_by_the_commands_that_the_page_gives(
    browser: Browser, folder: Path, service_database: DatabaseUrl
) -> None:
    with (folder / "003_multi_persona.py").open("a") as file:
        file.write("\n# A better comment.\n")
    page = browser.read("/migrations/003_multi_persona")
    for words in ("--rolled-back 003_multi_persona", "--applied 003_multi_persona"):
        assert f"migrate resolve {words}" in page
    resolve(Target(service_database, folder), rolled_back=["003_multi_persona"])
    resolve(Target(service_database, folder), applied=["003_multi_persona"])
    assert "Database schema is up to date" in browser.read("/migrations/")
    assert "a person recorded it with <code>migrate resolve</code>" in browser.read("/migrations/003_multi_persona")


@ONE_ENGINE
def test_a_file_that_is_gone_is_named_with_the_command_that_forgets_it(browser: Browser, folder: Path) -> None:
    (folder / "003_multi_persona.py").unlink()
    page = browser.read("/migrations/")
    assert "003_multi_persona is applied, but its file is gone." in page
    assert "migrate resolve --rolled-back 003_multi_persona</code>" in page
    assert ">missing</span>" in page


@ONE_ENGINE
def test_a_database_ahead_of_the_release_is_no_alarm(browser: Browser, folder: Path) -> None:
    (folder / f"{NEWEST}.py").unlink()
    assert badge(browser) == "ahead of this release"
    page = browser.read("/migrations/")
    assert "Database schema is up to date" in page, "nobody has to do anything"
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
    assert "The last attempt, deploy of 900_quays, failed." in page
    assert ">failed</span>" in page
    assert "&lt;" in page, "the error is shown, escaped"
    (folder / "900_quays.py").unlink()
    page = browser.read("/migrations/")
    assert "This panel is of another release" in page
    assert "up to date" not in page, "not beside a deploy that failed"
    assert badge(browser) == "deploy failed", "as the page says"
    assert "/migrations/900_quays" not in page, "it has no page here"
    (folder / "900_quays.py").write_text(NEXT)
    deploy(Target(service_database, folder))
    page = browser.read("/migrations/")
    assert "The last attempt" not in page
    assert "/migrations/900_quays" in page
    assert ">failed</span>" in page, "the journal remembers"


@ONE_ENGINE
def test_a_folder_that_misleads_is_explained_instead_of_guessed_at(browser: Browser, folder: Path) -> None:
    shutil.copy(folder / f"{NEWEST}.py", folder / f"{NEWEST[:3]}_twin.py")
    response = browser.get("/migrations/")
    assert response.status_code == 503
    assert f"{NEWEST[:3]}_twin" in response.text
    assert "docker compose exec admin-panel migrate status" in response.text


@ONE_ENGINE
def test_a_break_with_the_past_names_the_release_to_start(
    browser: Browser, folder: Path, service_database: DatabaseUrl
) -> None:
    (folder / "900_quays.py").write_text(f"breaking = True\n{NEXT}")
    deploy(Target(service_database, folder, release="2026.7"))
    (folder / "900_quays.py").unlink()
    page = browser.read("/migrations/")
    assert "900_quays is applied, and it broke with releases that do not know it" in page
    assert "git checkout 2026.7" in page
    assert browser.get("/readyz").status_code == 503


STEPS = "migrator.sql('CREATE TABLE quays (id INTEGER PRIMARY KEY)')\n"


def test_half_made_steps_are_counted_and_finished_by_the_next_deploy(
    browser: Browser, folder: Path, service_database: DatabaseUrl
) -> None:
    write(folder, "900_quays", f"{STEPS}migrator.sql('CREATE TABEL oops (id)')", top="atomic = False")
    with pytest.raises(MigrationFailed):
        deploy(Target(service_database, folder))
    page = browser.read("/migrations/")
    assert "Step 1 of 2 stands; the next deploy goes on from there." in page
    assert "in steps, each by itself" in browser.read("/migrations/900_quays")
    write(folder, "900_quays", f"{STEPS}migrator.sql('CREATE TABLE hulls (id INTEGER)')", top="atomic = False")
    deploy(Target(service_database, folder))
    assert "Database schema is up to date" in browser.read("/migrations/")


@pytest.mark.parametrize("service_database", ["postgresql"], indirect=True)
def test_an_unclear_step_comes_with_both_ways_out(
    browser: Browser, folder: Path, service_database: DatabaseUrl
) -> None:
    make = "CREATE PROCEDURE tidy() LANGUAGE plpgsql AS $$ BEGIN PERFORM 1; COMMIT; END $$"
    write(folder, "900_tidy", f"migrator.sql('{make}')")
    deploy(Target(service_database, folder))
    write(folder, "901_call", f"{STEPS}migrator.sql('CALL tidy()')", top="atomic = False")
    deploy(Target(service_database, folder))
    rows(service_database, "DELETE FROM migratehistory WHERE name = '901_call'")
    begun = "UPDATE migratejournal SET state = ?, step = 1, steps = 2, checkpoint = ? WHERE migration = ?"
    rows(service_database, begun, ["running", '{"2": {"begun": true}}', "901_call"])
    with pytest.raises(Unclear):
        deploy(Target(service_database, folder))
    page = browser.read("/migrations/")
    assert "901_call was interrupted in step 2 of 2, and nothing tells whether it was done." in page
    for words in ("resolve --applied 901_call", "resolve --rolled-back 901_call", "deploy"):
        assert f"docker compose exec admin-panel migrate {words}" in page


def test_a_killed_deploy_is_told_from_one_that_is_at_work(
    browser: Browser, folder: Path, service_database: DatabaseUrl
) -> None:
    write(folder, "900_quays", "import os, signal\nmigrator.run(os.kill, os.getpid(), signal.SIGKILL)")
    result = run("migrate", "--dir", str(folder), "deploy", env=environment(service_database))
    assert result.returncode == -signal.SIGKILL, result.stderr
    assert "The deploy of 900_quays was killed (host " in browser.read("/migrations/")
    with lock.deploy_lock(service_database, seconds=0, on_wait=lambda _holder, _seconds: None):
        page = browser.read("/migrations/")
        assert badge(browser) == "a deploy is at work"
    assert badge(browser) == "deploy killed"
    assert "A deploy is at work: deploy of 900_quays (" in page
    assert "was killed" not in page
    assert "note-danger" not in page


def test_a_deploy_that_had_to_wait_says_for_how_long_and_for_whom(
    browser: Browser, folder: Path, service_database: DatabaseUrl
) -> None:
    write(folder, "900_quays", 'migrator.sql("ALTER TABLE personas ADD COLUMN quay INTEGER")')
    with meanwhile(service_database, "personas") as blocker:
        aim = Target(service_database, folder, patience=Patience(lock_timeout=HANGS), tell=blocker.tell)
        (wait,) = deploy(aim).done[0].waits
    waited = f"{wait.seconds * 1000:.0f} ms" if wait.seconds < 1 else f"{wait.seconds:.1f} s"
    page = browser.read("/migrations/")
    assert f"{waited} waiting</span>" in page
    assert escape(wait.words) in page
    page = browser.read("/migrations/900_quays")
    assert f", {waited} of it waiting</dd>" in page
    assert page.count("Waited") == 1
    assert "Waited" not in browser.read("/migrations/001_initial")


def test_who_has_the_lock_is_told_without_touching_it(browser: Browser, service_database: DatabaseUrl) -> None:
    with closing(connect(service_database)) as database:
        assert lock.holder(database) == ""
        with lock.deploy_lock(service_database, seconds=0, on_wait=lambda _holder, _seconds: None):
            assert "process" in lock.holder(database)
            assert "A deploy is at work (" in browser.read("/migrations/")
        eventually(lambda: lock.holder(database) == "")  # the server notices that its client has gone


def test_a_database_without_history_is_to_be_looked_at_first(browser: Browser, service_database: DatabaseUrl) -> None:
    rows(service_database, "DROP TABLE migratehistory")
    rows(service_database, "DROP TABLE migratejournal")
    assert badge(browser) == "has a past"
    page = browser.read("/migrations/")
    assert "This database has tables, but no history of migrations." in page
    assert "docker compose exec admin-panel migrate resolve --detect" in page
    assert "admin-panel migrate deploy" not in page, "it would fail on what is there already"


@pytest.mark.parametrize("service_database", ["postgresql"], indirect=True)
def test_a_database_that_can_not_be_reached_leaves_the_command_to_run(
    browser: Browser, postgresql_server: Server
) -> None:
    proxy.obj.close()
    postgresql_server.stop()
    response = browser.get("/migrations/")
    assert response.status_code == 503
    assert "docker compose exec admin-panel migrate status" in response.text
    assert "copy.js" in response.text


def test_a_migration_has_a_page_with_its_source_and_its_story(
    browser: Browser, folder: Path, service_database: DatabaseUrl
) -> None:
    (folder / "900_quays.sql").write_text("CREATE TABLE quays (note TEXT DEFAULT '<b>');\n")
    (folder / "900_quays.down.sql").write_text("DROP TABLE quays;\n")
    assert "Not in the database yet." in browser.read("/migrations/900_quays")
    deploy(Target(service_database, folder, release="2026.8"))
    page = browser.read("/migrations/900_quays")
    assert "DEFAULT &#39;&lt;b&gt;&#39;" in page, "the source, escaped"
    assert "DROP TABLE quays;" in page
    assert "2026.8" in page
    assert "<dt>Attempts</dt><dd>1</dd>" in page
    (folder / "900_quays.sql").unlink()
    (folder / "900_quays.down.sql").unlink()
    assert "Its file is not part of this release" in browser.read("/migrations/900_quays")
    assert browser.get("/migrations/901_nothing").status_code == 404


@ONE_ENGINE
def test_the_reason_of_a_forced_record_is_kept_and_shown(
    browser: Browser, folder: Path, service_database: DatabaseUrl
) -> None:
    (folder / "900_quays.py").write_text(NEXT)
    resolve(Target(service_database, folder), applied=["900_quays"], forced_because="Made by hand on <Friday>.")
    assert "Why: Made by hand on &lt;Friday&gt;." in browser.read("/migrations/900_quays")
