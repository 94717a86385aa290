"""The shell scripts that start the two processes, run as Docker runs them, on both engines."""

from __future__ import annotations

import os
import re
import shutil
import stat
import time
from pathlib import Path

import pytest

from service.config import ConfigError, RunnerConfig
from service.database import open_database
from service.url import ROOT, DatabaseUrl
from tests.support.panel import at_once
from tests.support.postgresql import free_port
from tests.support.processes import Start, answer, environment, run

PANEL, BOT = "entrypoints/admin-panel.sh", "entrypoints/bot.sh"
NEWEST = max((path.stem for path in (ROOT / "migrations").glob("[0-9]*.py")), default="")
BROKEN = """
def migrate(migrator, database, *, fake=False):
    migrator.sql("CREATE TABLE half_done (id INTEGER)")
    migrator.sql("SELECT * FROM nowhere_to_be_found")


def rollback(migrator, database, *, fake=False):
    migrator.sql("DROP TABLE half_done")
"""


def tables(url: DatabaseUrl) -> set[str]:
    database = open_database(url)
    with database.connection_context():
        return set(database.get_tables())


def test_the_panel_migrates_reports_and_then_serves_until_it_is_told_to_stop(
    database_url: DatabaseUrl, start: Start
) -> None:
    port = free_port()
    panel = start(PANEL, env=environment(database_url, RUN_MIGRATIONS="true", PORT=str(port)))
    panel.serves(port)
    told = panel.output
    assert told.index("001_initial") < told.index(NEWEST) < told.index("admin-panel: starting")
    assert panel.terminated() == 0


def test_a_failing_migration_ends_the_start_and_nothing_of_it_remains(
    database_url: DatabaseUrl, start: Start, tmp_path: Path
) -> None:
    folder = tmp_path / "migrations"
    folder.mkdir()
    (folder / "001_broken.py").write_text(BROKEN)
    port = free_port()
    settings = {"RUN_MIGRATIONS": "true", "MIGRATIONS_DIR": str(folder), "PORT": str(port)}
    panel = start(PANEL, env=environment(database_url, **settings))
    assert panel.ended() != 0
    assert "001_broken" in panel.output
    assert "nowhere_to_be_found" in panel.output
    assert "starting" not in panel.output
    assert answer(port, "/healthz") == 0
    assert "half_done" not in tables(database_url)


SLOW = """
import time
def migrate(migrator, database, *, fake=False):
    migrator.sql("CREATE TABLE half_done (id INTEGER)")
    migrator.run(print, "half done", flush=True)
    migrator.run(time.sleep, 300)
"""


def test_a_container_that_is_stopped_while_it_migrates_says_where(
    database_url: DatabaseUrl, start: Start, tmp_path: Path
) -> None:
    """The signal comes to the shell alone, as from the init process of a container."""
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "001_slow.py").write_text(SLOW)
    panel = start(PANEL, env=environment(database_url, RUN_MIGRATIONS="true", MIGRATIONS_DIR=str(tmp_path / "m")))
    panel.says("half done")
    assert panel.terminated() == 143
    assert panel.output.splitlines()[-1] == (
        "Stopped by SIGTERM in 001_slow; what it did was rolled back, and the next `migrate deploy` does it anew."
    )
    assert "half_done" not in tables(database_url)


def test_the_panel_does_not_serve_without_a_database_and_never_shows_the_password(start: Start) -> None:
    nowhere = DatabaseUrl("postgresql", "shop", host="127.0.0.1", port=free_port(), user="ann")
    env = environment(nowhere, RUN_MIGRATIONS="true", DATABASE_WAIT="1")
    env["DATABASE_URL"] = env["DATABASE_URL"].replace("ann@", "ann:hush-hush@")
    panel = start(PANEL, env=env)
    assert panel.ended() == 2
    for part in ("shop", "127.0.0.1", str(nowhere.port), "ann"):
        assert part in panel.output
    assert "hush-hush" not in panel.output
    assert "starting" not in panel.output


def test_the_panel_waits_for_the_schema_when_somebody_else_migrates(database_url: DatabaseUrl, start: Start) -> None:
    port = free_port()
    env = environment(database_url, RUN_MIGRATIONS="no", PORT=str(port))
    panel = start(PANEL, env=env)
    panel.says(NEWEST)
    assert answer(port, "/healthz") == 0
    assert run("migrate", "deploy", env=env).returncode == 0
    panel.serves(port)


def test_a_first_user_is_made_from_the_environment_and_the_password_is_not_logged(
    sqlite_url: DatabaseUrl, start: Start
) -> None:
    settings = {"ADMIN_EMAIL": "ann@example.com", "ADMIN_PASSWORD": "correct-horse-battery"}
    panel = start(PANEL, env=environment(sqlite_url, RUN_MIGRATIONS="1", PORT=str(free_port()), **settings))
    panel.says("admin-panel: starting")
    assert "ann@example.com" in panel.output
    assert "correct-horse-battery" not in panel.output


def test_without_a_password_no_user_is_made_because_a_generated_one_would_be_logged(
    sqlite_url: DatabaseUrl, start: Start
) -> None:
    panel = start(PANEL, env=environment(sqlite_url, RUN_MIGRATIONS="1", PORT=str(free_port())))
    panel.says("admin-panel: starting")
    assert "Panel user" not in panel.output


def test_a_bot_on_an_old_schema_waits_and_then_ends_with_the_missing_name(
    database_url: DatabaseUrl, tmp_path: Path
) -> None:
    older = tmp_path / "migrations"
    shutil.copytree(ROOT / "migrations", older)
    (older / f"{NEWEST}.py").unlink()
    env = environment(database_url, MIGRATIONS_DIR=str(older))
    assert run("migrate", "deploy", env=env).returncode == 0
    begun = time.monotonic()
    bot = run(BOT, env=environment(database_url, SCHEMA_WAIT="2"))
    assert bot.returncode == 1
    assert time.monotonic() - begun > 1
    assert NEWEST in bot.stdout + bot.stderr
    assert "bot: starting" not in bot.stdout


def test_a_bot_never_migrates_and_says_that_it_ignored_the_flag(database_url: DatabaseUrl) -> None:
    bot = run(BOT, env=environment(database_url, RUN_MIGRATIONS="true", SCHEMA_WAIT="0"))
    assert "RUN_MIGRATIONS is ignored" in bot.stdout
    assert bot.returncode == 1
    assert "users" not in tables(database_url)


def test_a_bot_on_a_current_schema_works_until_it_is_told_to_stop(service_database: DatabaseUrl, start: Start) -> None:
    bot = start(BOT, env=environment(service_database))
    bot.says("serving the panel's channel")  # before that it has nothing in hand, and a signal just ends it
    assert bot.terminated() == 0


@pytest.fixture
def stage(tmp_path: Path) -> Path:
    """A tree of its own for the entrypoints, where gunicorn only tells of what it was given."""
    shutil.copytree(ROOT / "entrypoints", tmp_path / "entrypoints")
    (tmp_path / "data").mkdir()
    stand_in(tmp_path, "migrate", "true")
    stand_in(tmp_path, "gunicorn", 'echo "$@ key: ${SECRET_KEY:-$(cat "${SECRET_KEY_FILE:-/dev/null}")}"')
    return tmp_path


def stand_in(folder: Path, command: str, script: str) -> None:
    (folder / command).write_text(f"#!/bin/sh\n{script}\n")
    (folder / command).chmod(0o755)


def key_of_a_start(stage: Path, **settings: str) -> str:
    env = environment(DatabaseUrl("sqlite", ":memory:"), **settings)
    done = run(str(stage / PANEL), env=env | {"PATH": f"{stage}:{env['PATH']}"})
    assert done.returncode == 0, done.stderr
    return done.stdout.rpartition("key: ")[2].strip()


def test_the_key_that_signs_sessions_is_made_once_and_is_for_its_owner_only(stage: Path) -> None:
    made = key_of_a_start(stage)
    assert re.fullmatch(r"[0-9a-f]{64}", made)
    assert key_of_a_start(stage) == made
    assert [(path.name, stat.S_IMODE(path.stat().st_mode)) for path in (stage / "data").iterdir()] == [
        ("secret_key", 0o600)
    ]


def test_many_first_starts_at_once_agree_on_the_key(stage: Path) -> None:
    keys: list[str] = []
    at_once(6, lambda: keys.append(key_of_a_start(stage)))
    assert len(keys) == 6
    assert len(set(keys)) == 1


def test_a_key_of_the_operators_own_is_left_alone(stage: Path) -> None:
    assert key_of_a_start(stage, SECRET_KEY="mine") == "mine"
    assert not list((stage / "data").iterdir())


def test_where_no_key_can_be_kept_the_panel_starts_and_says_so(stage: Path) -> None:
    (stage / "data").rmdir()
    env = environment(DatabaseUrl("sqlite", ":memory:"))
    done = run(str(stage / PANEL), env=env | {"PATH": f"{stage}:{env['PATH']}"})
    assert done.returncode == 0
    assert "set SECRET_KEY" in done.stderr


@pytest.mark.parametrize(("given", "processes"), [("1", 1), ("3", 3), ("", min(2, os.cpu_count() or 1))])
def test_two_processes_serve_where_there_are_two_cores_unless_somebody_says_how_many(
    given: str, processes: int, stage: Path
) -> None:
    env = environment(DatabaseUrl("sqlite", ":memory:"), WEB_CONCURRENCY=given)
    done = run(str(stage / PANEL), env=env | {"PATH": f"{stage}:{env['PATH']}"})
    assert f" --workers {processes} " in done.stdout


@pytest.mark.parametrize("given", ["0", "two", "-1", "1.5"])
def test_what_is_no_number_of_processes_ends_the_start(given: str, stage: Path) -> None:
    env = environment(DatabaseUrl("sqlite", ":memory:"), WEB_CONCURRENCY=given)
    done = run(str(stage / PANEL), env=env | {"PATH": f"{stage}:{env['PATH']}"})
    assert done.returncode == 2
    assert f"WEB_CONCURRENCY is '{given}'; use the number of processes" in done.stderr


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("TRUSTED_PROXIES", "one", "TRUSTED_PROXIES is 'one'; use a whole number from 0 to 9.\n"),
        ("LOG_FORMAT", "xml", "LOG_FORMAT is 'xml'; use one of text, json.\n"),
    ],
)
def test_a_setting_that_can_not_be_used_ends_the_start_with_a_sentence(
    name: str, value: str, said: str, furnished_url: DatabaseUrl
) -> None:
    env = environment(furnished_url, SECRET_KEY="a key of the tests", PORT=str(free_port()))
    for entrypoint in (PANEL, BOT):
        done = run(entrypoint, env=env | {name: value})
        assert (done.returncode, done.stderr) == (2, said)


VALUES = ("true", "TRUE", "1", "Yes", "false", "0", "NO", "", " true ", "perhaps", "on", "2", "truee", "*", "y")


@pytest.mark.parametrize("value", VALUES)
def test_the_shell_and_the_settings_read_run_migrations_alike(
    value: str, sqlite_url: DatabaseUrl, tmp_path: Path
) -> None:
    for command in ("migrate", "gunicorn"):
        (tmp_path / command).write_text(f'#!/bin/sh\necho "{command} $1"\n')
        (tmp_path / command).chmod(0o755)
    env = environment(sqlite_url, RUN_MIGRATIONS=value)
    done = run(PANEL, env=env | {"PATH": f"{tmp_path}:{env['PATH']}"})
    try:
        expected = "migrate deploy" if RunnerConfig.from_env(env).run_migrations else "migrate wait"
    except ConfigError:
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr == f"RUN_MIGRATIONS is '{value}'; use true, false, 1, 0, yes or no.\n"
    else:
        assert done.stdout.startswith(expected + "\n")
        assert "gunicorn " in done.stdout
