from __future__ import annotations

import re
from subprocess import PIPE, Popen

from werkzeug.security import check_password_hash

from service import seed
from service.chat import versions
from service.config import Config
from service.models import Chatbot, Creator, Persona, User
from service.url import DatabaseUrl
from tests.support.chat import make_chatbot, make_user
from tests.support.panel import Browser, at_once, panel
from tests.support.processes import as_text, environment, run


def config(url: DatabaseUrl, **settings: str) -> Config:
    return Config.from_env({"DATABASE_URL": as_text(url)} | settings)


def test_a_fresh_installation_gets_a_user_a_chatbot_and_a_persona(service_database: DatabaseUrl) -> None:
    user_line, chatbot_line = seed.run(config(service_database))
    password = user_line.rpartition(" ")[2]
    assert "admin@example.com" in user_line
    assert "only this once" in user_line
    assert "Harbour desk" in chatbot_line
    assert len(password) >= 16
    assert versions.current(Chatbot.get()).number == 1
    assert Persona.get().user == User.get()
    assert Browser(panel(service_database)).sign_in("admin@example.com", password).status_code == 303


def test_a_given_password_is_used_and_never_told(service_database: DatabaseUrl) -> None:
    given = config(service_database, ADMIN_EMAIL=" Dana@Example.org ", ADMIN_PASSWORD="hush-hush-hush")
    lines = seed.run(given)
    assert "hush" not in "".join(lines)
    user = User.get()
    assert user.email == "dana@example.org"
    assert user.password_hash.startswith("scrypt:32768:8:1$")
    assert check_password_hash(user.password_hash, "hush-hush-hush")


def test_a_second_run_adds_nothing(service_database: DatabaseUrl) -> None:
    seed.run(config(service_database))
    assert seed.run(config(service_database)) == [
        "There are panel users already; none was added.",
        "There are chatbots already; none was added.",
    ]
    assert (User.select().count(), Chatbot.select().count(), Creator.select().count()) == (1, 1, 1)


def test_the_command_goes_by_its_options_and_by_the_settings(
    service_database: DatabaseUrl, sqlite_url: DatabaseUrl
) -> None:
    env = environment(sqlite_url, ADMIN_EMAIL="dana@example.org", ADMIN_PASSWORD="hush-hush-hush")
    seeded = run("migrate", "--database-url", as_text(service_database), "seed", env=env)
    assert (seeded.returncode, seeded.stderr) == (0, "")
    assert seeded.stdout.startswith("Panel user dana@example.org was added, with the password from ADMIN_PASSWORD.\n")
    assert User.get().email == "dana@example.org"


def test_who_seeds_too_early_waits_for_the_schema(database_url: DatabaseUrl) -> None:
    """Typed right after `docker compose up`, while the first deploy is at work."""
    env = environment(database_url)
    with Popen(["migrate", "seed"], env=env, stdout=PIPE, text=True) as early:
        assert early.stdout
        assert early.stdout.readline().startswith("Waiting: The schema is not current: ")
        assert run("migrate", "deploy", env=env).returncode == 0
        told = early.stdout.read()
    assert (early.returncode, told.count("was added")) == (0, 2)


def test_who_seeds_where_nobody_deploys_is_told_to(database_url: DatabaseUrl) -> None:
    seeded = run("migrate", "seed", env=environment(database_url, SCHEMA_WAIT="0"))
    assert (seeded.returncode, seeded.stdout) == (1, "")
    assert re.match(r"The schema is not current: \d+ migrations missing, from 001_initial to \w+\.", seeded.stderr)
    assert "run `migrate deploy`" in seeded.stderr


def test_what_is_there_already_is_left_alone(service_database: DatabaseUrl) -> None:
    make_chatbot(user=make_user())
    lines = seed.run(config(service_database, ADMIN_EMAIL="other@example.org"))
    assert all("none was added" in line for line in lines)


def test_two_runs_at_once_add_one_user(service_database: DatabaseUrl) -> None:
    told: list[str] = []
    at_once(2, lambda: told.extend(seed.plant(config(service_database))))
    assert (User.select().count(), Chatbot.select().count()) == (1, 1)
    assert sum("only this once" in line for line in told) == 1
