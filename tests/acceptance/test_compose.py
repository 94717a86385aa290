"""The whole service in real containers, told as one story: first start, use, recovery, restart, second release."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from service.url import ROOT
from tests.support.compose import Deployment, engine_trouble
from tests.support.visitor import Visitor

pytestmark = pytest.mark.compose

EMAIL, PASSWORD = "ann@example.com", "correct-horse-battery"
USER = {"ADMIN_EMAIL": EMAIL, "ADMIN_PASSWORD": PASSWORD}
SECOND = """
def migrate(migrator, database, *, fake=False):
    migrator.sql("CREATE TABLE greetings (id INTEGER PRIMARY KEY, text VARCHAR(80) NOT NULL)")


def rollback(migrator, database, *, fake=False):
    migrator.sql("DROP TABLE greetings")
"""


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    if trouble := engine_trouble():
        pytest.skip(f"No containers here: {trouble}")
    deployment = Deployment(tmp_path_factory.mktemp("tree"))
    try:
        deployment.up("first", **USER)
        yield deployment
    finally:
        deployment.down()


@pytest.fixture
def visitor(deployment: Deployment) -> Iterator[Visitor]:
    with Visitor(f"http://127.0.0.1:{deployment.port}") as visitor:
        visitor.sign_in(EMAIL, PASSWORD)
        yield visitor


def status(deployment: Deployment) -> dict[str, Any]:
    done = deployment.execute("admin-panel", "migrate", "status", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def names(deployment: Deployment) -> list[str]:
    return sorted(path.stem for path in (deployment.tree / "migrations").glob("[0-9]*.py"))


def test_the_first_start_migrates_reports_and_then_serves(deployment: Deployment) -> None:
    assert httpx.get(f"http://127.0.0.1:{deployment.port}/readyz").status_code == 200
    log = deployment.logs("admin-panel")
    places = [log.index(name) for name in names(deployment)]
    assert places == sorted(places)
    assert places[-1] < log.index("admin-panel: starting")
    assert PASSWORD not in log


def test_the_bot_waited_and_never_migrated(deployment: Deployment) -> None:
    log = deployment.logs("bot")
    assert "bot: starting" in log
    assert "pplied" not in log


def test_a_message_from_the_panel_is_answered_by_the_bot_container(visitor: Visitor) -> None:
    assert "is it raining?" in visitor.talk("Tell me, is it raining?")


def test_without_the_bot_container_nobody_answers(deployment: Deployment, visitor: Visitor) -> None:
    deployment.compose("stop", "bot")
    with pytest.raises(AssertionError):
        visitor.talk("Is anybody there?", seconds=3)
    deployment.start("bot")


def test_resolve_and_status_work_inside_the_container(deployment: Deployment) -> None:
    again = deployment.execute("admin-panel", "migrate", "resolve", "--applied", "001_initial", "002_chat_history")
    assert again.returncode == 0, again.stderr
    unknown = deployment.execute("admin-panel", "migrate", "resolve", "--applied", "002_chat_histori")
    assert unknown.returncode == 1
    assert "002_chat_history" in unknown.stderr
    shown = deployment.execute("admin-panel", "migrate", "status")
    assert shown.returncode == 0
    assert "Database schema is up to date!" in shown.stdout


def test_a_lost_history_is_recovered_by_hand_and_the_next_deploy_has_nothing_to_do(deployment: Deployment) -> None:
    lost = deployment.execute("postgres", "psql", "-c", "DELETE FROM migratehistory")
    assert lost.returncode == 0, lost.stderr
    resolved = deployment.execute("admin-panel", "migrate", "resolve", "--applied", *names(deployment))
    assert resolved.returncode == 0, resolved.stdout + resolved.stderr
    assert deployment.execute("admin-panel", "migrate", "deploy").returncode == 0
    assert {entry["state"] for entry in status(deployment)["migrations"]} == {"applied"}


@pytest.mark.parametrize("service", ["admin-panel", "bot"])
def test_nothing_runs_as_root_or_can_change_the_image(deployment: Deployment, service: str) -> None:
    assert deployment.execute(service, "id", "-u").stdout.strip() == "10001"
    assert deployment.execute(service, "touch", "/app/service/new.py").returncode != 0
    assert "Read-only file system" in deployment.execute(service, "touch", "/app/new.py").stderr


@pytest.mark.parametrize("service", ["admin-panel", "bot"])
def test_each_process_stops_cleanly_when_docker_asks(deployment: Deployment, service: str) -> None:
    deployment.compose("stop", "--timeout", "30", service)
    assert deployment.inspect(service, "{{.State.ExitCode}}") == "0"
    deployment.start(service)


def test_a_restart_applies_nothing_and_signs_nobody_out(deployment: Deployment, visitor: Visitor) -> None:
    before = status(deployment)["migrations"]
    deployment.compose("restart")
    deployment.up("first", **USER)
    assert status(deployment)["migrations"] == before
    assert "am I still here?" in visitor.talk("And am I still here?")


def commands(chapter: str) -> str:
    """What docs/production.md says to type under that heading."""
    _before, _heading, rest = (ROOT / "docs" / "production.md").read_text().partition(f"\n## {chapter}\n")
    assert rest, f"there is no chapter {chapter}"
    lines = rest.partition("\n## ")[0].splitlines()
    return "\n".join(line.strip() for line in lines if line.startswith("    "))


def test_a_restored_backup_is_the_database_that_it_was(deployment: Deployment, visitor: Visitor) -> None:
    assert "before the backup" in visitor.talk("This is from before the backup")
    deployment.typed("docker compose exec -T postgres pg_dump -Fc > slipway.dump")
    rows = deployment.execute("postgres", "psql", "-Atc", "SELECT count(*) FROM messages").stdout
    assert "after the backup" in visitor.talk("And this from after the backup")
    deployment.typed(commands("Restoring a backup"))
    deployment.up("first", **USER)
    assert deployment.execute("postgres", "psql", "-Atc", "SELECT count(*) FROM messages").stdout == rows
    verified = deployment.execute("admin-panel", "migrate", "verify")
    assert verified.returncode == 0, verified.stdout
    assert "goes on" in visitor.talk("Everything goes on")


FAILING = SECOND.replace("VARCHAR(80)", "NO TYPE")


def test_a_migration_that_is_tried_first_and_fails_leaves_the_release_serving(deployment: Deployment) -> None:
    """The way of docs/production.md, "During"."""
    number = int(names(deployment)[-1][:3]) + 1
    wrong = deployment.tree / "migrations" / f"{number:03}_wrong.py"
    wrong.write_text(FAILING)
    deployment.compose("build")
    tried = deployment.compose("run", "--rm", "admin-panel", "migrate", "deploy")
    wrong.unlink()
    assert tried.returncode == 2
    assert f"Migration {wrong.stem} failed; it was rolled back and nothing of it remains." in tried.stderr
    assert httpx.get(f"http://127.0.0.1:{deployment.port}/readyz").status_code == 200


def test_a_second_release_applies_its_one_migration(deployment: Deployment, visitor: Visitor) -> None:
    assert "Remember the milk" in visitor.talk("Remember the milk")
    number = int(names(deployment)[-1][:3]) + 1
    added = f"{number:03}_greetings"
    (deployment.tree / "migrations" / f"{added}.py").write_text(SECOND)
    deployment.up("second", **USER)
    newest = status(deployment)["migrations"][-1]
    assert (newest["name"], newest["state"], newest["release"]) == (added, "applied", "second")
    visitor.sign_in(EMAIL, PASSWORD)
    assert "second release" in visitor.talk("Hello, second release")
