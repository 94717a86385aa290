"""The service's own migrations, on both engines, on databases with rows in them."""

from __future__ import annotations

import logging
import re
import shutil
import signal
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import peewee as pw
import pytest

from service.migrate import runner
from service.migrate.connection import connect
from service.migrate.drafting import develop, draft
from service.migrate.drafting.draft import Written
from service.migrate.drafting.renames import Wishes
from service.migrate.proving import schema
from service.migrate.proving.snapshot import Snapshot, diff
from service.models import TABLES, Persona
from service.url import ROOT, DatabaseUrl
from tests.support.migrations import applied, rows, target
from tests.support.processes import as_text, environment, run

FOLDER = ROOT / "migrations"
NAMES = sorted(path.stem for path in FOLDER.glob("*.py"))
NOW = "'2026-01-02 03:04:05'"


def deploy_up_to(url: DatabaseUrl, number: int) -> None:
    """Apply the first migrations only."""
    runner.deploy(target(url, FOLDER), only=number - len(applied_so_far(url)))


def applied_so_far(url: DatabaseUrl) -> Sequence[str]:
    from service.migrate.history import History

    database = connect(url)
    try:
        return [row.name for row in History(database).read().applied]
    finally:
        database.close()


def snapshot(url: DatabaseUrl) -> Snapshot:
    database = connect(url)
    try:
        return schema.take(database)
    finally:
        database.close()


def add_people(url: DatabaseUrl) -> None:
    """Three creators: with a user, with two, with none; a chatbot each; personas."""
    for number in (1, 2, 3):
        rows(
            url,
            "INSERT INTO users (id, email, name, password_hash, is_active, failed_sign_ins, created_at)"
            f" VALUES ({number}, 'user{number}@example.com', 'Zoë 🐙', 'x', TRUE, 0, {NOW})",
        )
        rows(url, f"INSERT INTO creators (id, name, created_at) VALUES ({number}, 'Creator', {NOW})")
        rows(url, f"INSERT INTO chatbots (id, creator_id, title, created_at) VALUES ({number}, {number}, 'Bot', {NOW})")
        rows(url, f"INSERT INTO personas (user_id, name, instructions, created_at) VALUES ({number}, 'P', '', {NOW})")
    for creator, user in ((1, 1), (2, 2), (2, 3)):
        rows(url, f"INSERT INTO creator_users (creator_id, user_id, created_at) VALUES ({creator}, {user}, {NOW})")


def add_messages(url: DatabaseUrl) -> None:
    for chatbot, user, text in ((1, "1", "a"), (1, "1", "b"), (1, "2", "c"), (1, "NULL", "d"), (3, "NULL", "é")):
        rows(
            url,
            "INSERT INTO messages (chatbot_id, user_id, role, content, created_at)"
            f" VALUES ({chatbot}, {user}, 'user', '{text}', {NOW})",
        )


def test_the_migrations_make_what_the_models_say(database_url: DatabaseUrl, tmp_path: Path) -> None:
    runner.deploy(target(database_url, FOLDER))
    migrated = snapshot(database_url)
    develop.reset(database_url)
    develop.push(database_url, list(TABLES))
    from_models = snapshot(database_url)
    assert migrated.tables["chatbot_versions"].triggers
    # What a model can't say: that a table is immutable, that another is an index over the words of messages, and that
    # one may be empty after a crash.
    migrated.tables["chatbot_versions"].triggers.clear()
    migrated.tables["messages"].triggers.clear()
    assert database_url.is_sqlite or list(migrated.things) == ["function chatbot_versions_refuse_change()"]
    migrated.things.clear()
    assert database_url.is_sqlite or migrated.tables["followed_threads"].persistence == "UNLOGGED"
    migrated.tables["followed_threads"].persistence = ""
    assert migrated.tables.pop("message_search").columns
    assert diff(expected=from_models, found=migrated) == []
    assert len(migrated.tables) == len(TABLES)


def drafted(url: DatabaseUrl, place: Path) -> Written | None:
    folder = Path(shutil.copytree(FOLDER, place / "migrations"))
    return draft.create(url, folder, "change", list(TABLES), Wishes())


def test_a_draft_from_the_models_finds_nothing_left_to_do(database_url: DatabaseUrl, tmp_path: Path) -> None:
    assert draft.differences(database_url, FOLDER, list(TABLES)) == []
    assert drafted(database_url, tmp_path) is None


@pytest.fixture
def one_field_more() -> Iterator[None]:
    meta: Any = Persona._meta
    meta.add_field("voice", pw.CharField(max_length=40, default="calm"))
    yield
    meta.remove_field("voice")


@pytest.mark.usefixtures("one_field_more")
def test_a_draft_for_one_field_more_adds_that_field_and_nothing_else(database_url: DatabaseUrl, tmp_path: Path) -> None:
    written = drafted(database_url, tmp_path)
    assert written is not None
    assert written.notes == ()
    assert re.findall(r"migrator\.(\w+)\(", written.path.read_text()) == ["add_fields", "remove_fields"]


def test_every_migration_can_be_undone_and_done_again(database_url: DatabaseUrl) -> None:
    deploy_up_to(database_url, 1)
    add_people(database_url)
    snapshots = {1: snapshot(database_url)}
    for number in range(2, len(NAMES) + 1):
        deploy_up_to(database_url, number)
        snapshots[number] = snapshot(database_url)
        if number == 2:
            add_messages(database_url)
    for number in range(len(NAMES) - 1, 0, -1):
        runner.rollback(target(database_url, FOLDER), confirm=lambda _names: None)
        assert diff(expected=snapshots[number], found=snapshot(database_url)) == [], NAMES[number]
    assert rows(database_url, "SELECT count(*) FROM users") == [(3,)]
    assert rows(database_url, "SELECT count(*) FROM creator_users") == [(3,)]
    assert len(runner.deploy(target(database_url, FOLDER)).done) == len(NAMES) - 1


def test_messages_from_before_conversations_get_one_for_each_chatbot_and_user(database_url: DatabaseUrl) -> None:
    deploy_up_to(database_url, 3)
    add_people(database_url)
    add_messages(database_url)
    deploy_up_to(database_url, 4)
    linked = rows(
        database_url,
        "SELECT m.content, c.chatbot_id, c.user_id FROM messages m JOIN conversations c ON c.id = m.conversation_id"
        " ORDER BY m.id",
    )
    assert linked == [("a", 1, 1), ("b", 1, 1), ("c", 1, 2), ("d", 1, None), ("é", 3, None)]
    assert rows(database_url, "SELECT count(*) FROM conversations") == [(4,)]


def test_existing_chatbots_get_version_1_and_errors_are_counted_and_named(
    database_url: DatabaseUrl, caplog: pytest.LogCaptureFixture
) -> None:
    deploy_up_to(database_url, 3)
    add_people(database_url)
    add_messages(database_url)
    deploy_up_to(database_url, 8)
    rows(database_url, "UPDATE chatbots SET system_prompt = 'Be kind' WHERE id = 1")
    with caplog.at_level(logging.INFO, "migrations"):
        deploy_up_to(database_url, 9)
    assert [record.getMessage() for record in caplog.records if record.name == "migrations"] == [
        "Found 3 chatbots to migrate",
        "  - chatbot 1: created version 1, assigned 3 conversations",
        "  - chatbot 2: created version 1, no conversations to assign",
        "  - chatbot 3: creator 3 has no associated user; it gets version 1 on first use",
        "Migrated: 2 chatbots",
        "Errors: 1 chatbot",
    ]
    versions = rows(
        database_url, "SELECT chatbot_id, number, system_prompt, created_by_id FROM chatbot_versions ORDER BY id"
    )
    assert versions == [(1, 1, "Be kind", 1), (2, 1, "", 2)]
    assigned = rows(database_url, "SELECT chatbot_id, chatbot_version_id FROM conversations ORDER BY id")
    assert sorted(assigned, key=str) == [(1, 1), (1, 1), (1, 1), (3, None)]
    assert rows(database_url, "SELECT current_version_id FROM chatbots ORDER BY id") == [(1,), (2,), (None,)]


KILLED_AT_CHATBOT_150 = """
import logging, os, signal, sys
from pathlib import Path
from service.migrate.runner import deploy
from service.migrate.session import Target
from service.url import ROOT, parse

class Kill(logging.Handler):
    def emit(self, record):
        if "chatbot 150:" in record.getMessage():
            os.kill(os.getpid(), signal.SIGKILL)

logging.getLogger("migrations").addHandler(Kill())
logging.getLogger("migrations").setLevel(logging.INFO)
deploy(Target(parse(sys.argv[1]), ROOT / "migrations"))
"""


def test_killed_between_the_chatbots_it_goes_on_and_the_totals_count_all(database_url: DatabaseUrl) -> None:
    deploy_up_to(database_url, 1)
    add_people(database_url)
    numbers = "WITH RECURSIVE n(n) AS (SELECT 4 UNION ALL SELECT n + 1 FROM n WHERE n < 250)"
    rows(
        database_url,
        f"{numbers} INSERT INTO chatbots (id, creator_id, title, created_at) SELECT n, 1, 'Bot', {NOW} FROM n",
    )
    killed = run(sys.executable, "-c", KILLED_AT_CHATBOT_150, as_text(database_url), env=environment(database_url))
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    versions = "SELECT count(*), count(DISTINCT chatbot_id) FROM chatbot_versions"
    assert rows(database_url, versions) == [(99, 99)]
    finished = run("migrate", "deploy", env=environment(database_url))
    report = [line for line in finished.stdout.splitlines() if line.startswith("    ")]
    assert report[:3] == [
        "    chatbots: goes on after 100 of 250 rows",
        "      - chatbot 3: creator 3 has no associated user; it gets version 1 on first use",
        "      - chatbot 101: created version 1, no conversations to assign",
    ]
    assert report[-2:] == ["    Migrated: 249 chatbots", "    Errors: 1 chatbot"]
    assert len(report) == 1 + 1 + 150 + 1 + 2
    assert rows(database_url, versions) == [(249, 249)]
    assert rows(database_url, "SELECT id FROM chatbots WHERE current_version_id IS NULL") == [(3,)]


def test_going_back_over_the_data_keeps_the_versions_that_people_wrote(database_url: DatabaseUrl) -> None:
    deploy_up_to(database_url, 1)
    add_people(database_url)
    deploy_up_to(database_url, 9)
    runner.rollback(target(database_url, FOLDER), confirm=lambda _names: None)
    assert rows(database_url, "SELECT count(*) FROM chatbot_versions") == [(2,)]
    deploy_up_to(database_url, 9)
    assert rows(database_url, "SELECT current_version_id FROM chatbots ORDER BY id") == [(1,), (2,), (None,)]


@pytest.mark.parametrize("change", ["UPDATE chatbot_versions SET notes = 'x'", "DELETE FROM chatbot_versions"])
def test_a_version_can_not_be_changed_by_anybody(database_url: DatabaseUrl, change: str) -> None:
    deploy_up_to(database_url, 1)
    add_people(database_url)
    runner.deploy(target(database_url, FOLDER))
    with pytest.raises(Exception, match="a chatbot version is immutable"):
        rows(database_url, change)


def test_what_only_concerns_the_present_is_not_logged_by_postgresql(postgresql_url: DatabaseUrl) -> None:
    runner.deploy(target(postgresql_url, FOLDER))
    unlogged = "SELECT relname FROM pg_class WHERE relkind = 'r' AND relpersistence = 'u'"
    assert rows(postgresql_url, unlogged) == [("followed_threads",)]


def test_the_previous_release_can_still_insert_after_each_addition(database_url: DatabaseUrl) -> None:
    """Old code does not know the new columns: during a deploy it still runs."""
    deploy_up_to(database_url, 1)
    add_people(database_url)
    runner.deploy(target(database_url, FOLDER))
    rows(database_url, f"INSERT INTO personas (user_id, name, instructions, created_at) VALUES (1, 'old', '', {NOW})")
    rows(database_url, f"INSERT INTO chatbots (id, creator_id, title, created_at) VALUES (9, 1, 'old', {NOW})")
    add_messages(database_url)
    assert rows(database_url, "SELECT is_active, color FROM personas WHERE name = 'old'") == [(True, "#6c757d")]


def test_the_history_is_complete(database_url: DatabaseUrl) -> None:
    runner.deploy(target(database_url, FOLDER))
    assert applied(database_url) == NAMES
    assert [name[:3] for name in NAMES] == [f"{number:03}" for number in range(1, len(NAMES) + 1)]


def test_frozen_migrations_never_import_the_service() -> None:
    for path in FOLDER.glob("*.py"):
        assert not re.search(r"(from|import) service", path.read_text("utf-8")), path.name
