"""What a rehearsal says that statements lock and rewrite, held against what a deploy then holds."""

from __future__ import annotations

from pathlib import Path

import pytest

from service.migrate import rehearsal, runner
from service.migrate.connection import connect
from service.migrate.rehearsing.touch import LOCKS, Touch
from service.url import DatabaseUrl
from tests.support.blockers import InBackground
from tests.support.migrations import target
from tests.support.processes import eventually

LIVE = """
CREATE TYPE mood AS ENUM ('calm', 'cross');
CREATE TABLE chatbots (id SERIAL PRIMARY KEY, name TEXT UNIQUE);
CREATE TABLE messages (id BIGSERIAL PRIMARY KEY, n INTEGER, words VARCHAR(20), mood mood, other INTEGER,
    tags INT4RANGE, chatbot_id INTEGER REFERENCES chatbots (id));
ALTER TABLE messages ADD CONSTRAINT later CHECK (n < 100) NOT VALID;
CREATE INDEX messages_chatbot ON messages (chatbot_id);
CREATE TABLE parted (id INTEGER, day DATE) PARTITION BY RANGE (day);
CREATE TABLE aside (id INTEGER);
INSERT INTO messages (n) SELECT n FROM generate_series(1, 9) n;
"""
STATEMENTS = [
    "ALTER TABLE messages ADD COLUMN size INTEGER NOT NULL DEFAULT 7",
    "ALTER TABLE messages ADD COLUMN token UUID DEFAULT gen_random_uuid()",
    "ALTER TABLE messages ADD CHECK (n > 0)",
    "ALTER TABLE messages ADD CHECK (n > 0) NOT VALID",
    "ALTER TABLE messages VALIDATE CONSTRAINT later",
    "ALTER TABLE messages ADD FOREIGN KEY (other) REFERENCES chatbots (id)",
    "ALTER TABLE messages ALTER n SET NOT NULL",
    "ALTER TABLE messages ALTER n TYPE BIGINT",
    "ALTER TABLE messages ALTER words TYPE VARCHAR(40)",
    "ALTER TABLE public.messages ALTER mood TYPE TEXT USING mood::TEXT",
    "ALTER TABLE messages ALTER n SET STATISTICS 10",
    "ALTER TABLE messages ADD UNIQUE (n)",
    "ALTER TABLE messages RENAME TO posts",
    "ALTER TABLE parted ADD COLUMN size INTEGER",
    "CREATE INDEX messages_n ON messages (n)",
    "CREATE TABLE news (id INTEGER, message_id BIGINT REFERENCES messages (id))",
    "DROP INDEX messages_chatbot",
    "DROP TABLE messages",
    "UPDATE messages SET n = 2 WHERE n = 1",
    "DELETE FROM messages WHERE n = 1",
    "INSERT INTO messages (n) VALUES (8)",
    "DO $$ BEGIN EXECUTE 'ALTER TABLE messages DROP COLUMN n'; END $$",
]
# Behind the statement the deploy waits for somebody who has this one.
GATE = 4711
WAITS = f"SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND objid = {GATE} AND NOT granted"
HELD = (
    "SELECT relation::regclass::text, mode FROM pg_locks WHERE pid = ? AND locktype = 'relation' AND relation = ANY(?)"
)
FILES = (
    "SELECT oid, relname, pg_relation_filenode(oid) FROM pg_class WHERE relname IN ('messages', 'chatbots', 'parted')"
)


@pytest.fixture
def folder(postgresql_url: DatabaseUrl, tmp_path: Path) -> Path:
    """With one migration, applied."""
    folder = tmp_path / "migrations"
    folder.mkdir()
    (folder / "001_live.sql").write_text(LIVE)
    runner.deploy(target(postgresql_url, folder))
    return folder


def touches(url: DatabaseUrl, folder: Path) -> list[list[Touch]]:
    """Of each statement of the newest migration."""
    return [list(each.tables) for each in rehearsal.rehearse(url, folder).pending[-1].statements]


def strongest(modes: list[str]) -> str:
    known = {f"{lock.title().replace(' ', '')}Lock": lock for lock in LOCKS}
    return max((known[mode] for mode in modes if mode in known), key=LOCKS.index, default="")


@pytest.mark.parametrize("statement", STATEMENTS)
def test_what_is_said_is_what_a_deploy_then_holds(postgresql_url: DatabaseUrl, folder: Path, statement: str) -> None:
    (folder / "002_more.sql").write_text(f"{statement};\nSELECT pg_advisory_xact_lock({GATE});")
    said, *_ = touches(postgresql_url, folder)
    gate, other = connect(postgresql_url), connect(postgresql_url)
    gate.execute(f"SELECT pg_advisory_lock({GATE})")
    files = {number: (name, file) for number, name, file in other.execute(FILES).fetchall()}
    deploy = InBackground(runner.deploy, target(postgresql_url, folder))
    try:
        ((process,),) = eventually(lambda: other.execute(WAITS).fetchall())
        held = other.execute(
            "SELECT relation, mode FROM pg_locks WHERE pid = ? AND relation = ANY(?)", [process, [*files]]
        )
        modes: dict[str, list[str]] = {}
        for number, mode in held.fetchall():
            modes.setdefault(files[number][0], []).append(mode)
    finally:
        gate.close()
    assert deploy.outcome().newest == "002_more"
    renamed = {"posts": "messages"}
    found = {renamed.get(touch.table, touch.table): touch for touch in said}
    real = {name: lock for name, each in modes.items() if (lock := strongest(each))}
    assert {name: touch.lock for name, touch in found.items() if touch.lock} == real
    after = {number: file for number, _, file in other.execute(FILES).fetchall()}
    rewritten = {name for number, (name, file) in files.items() if number in after and after[number] != file}
    assert {name for name, touch in found.items() if touch.rewrites} == rewritten
    other.close()
