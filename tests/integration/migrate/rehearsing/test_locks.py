"""What a rehearsal says that statements lock and rewrite, held against what a deploy then holds."""

from __future__ import annotations

from pathlib import Path

import pytest

from service.migrate import rehearsal, runner
from service.migrate.connection import connect
from service.migrate.rehearsing.touch import LOCKS
from service.url import DatabaseUrl
from tests.support.blockers import InBackground
from tests.support.migrations import target
from tests.support.processes import eventually

LIVE = """
CREATE TYPE mood AS ENUM ('calm', 'cross');
CREATE DOMAIN label AS TEXT;
CREATE TABLE chatbots (id SERIAL PRIMARY KEY, name label UNIQUE);
CREATE TABLE messages (id BIGSERIAL PRIMARY KEY, n INTEGER, words VARCHAR(20), mood mood, other INTEGER,
    tags INT4RANGE, chatbot_id INTEGER REFERENCES chatbots (id));
ALTER TABLE messages ADD CONSTRAINT later CHECK (n < 100) NOT VALID;
CREATE INDEX messages_chatbot ON messages (chatbot_id);
CREATE TABLE parted (id INTEGER, n INTEGER, day DATE) PARTITION BY RANGE (day);
CREATE TABLE part PARTITION OF parted FOR VALUES FROM ('2026-01-01') TO ('2027-01-01') PARTITION BY LIST (id);
CREATE TABLE part_of_part PARTITION OF part FOR VALUES IN (1, 2);
CREATE TABLE elder (id INTEGER, n INTEGER);
CREATE TABLE heir (more INTEGER) INHERITS (elder);
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
    "ALTER TABLE parted ALTER n TYPE BIGINT",
    "ALTER TABLE part DETACH PARTITION part_of_part",
    "CREATE INDEX parted_id ON parted (id)",
    "CREATE TABLE next_part PARTITION OF parted FOR VALUES FROM ('2027-01-01') TO ('2028-01-01')",
    "UPDATE parted SET id = 1",
    "ALTER TABLE elder ADD CHECK (n > 0)",
    "ALTER TABLE heir ALTER more TYPE BIGINT",
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
FILES = """
SELECT oid, relname, pg_relation_filenode(oid) FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND relname NOT LIKE 'migrate%'
"""
HELD = "SELECT relation, mode FROM pg_locks WHERE pid = ? AND locktype = 'relation'"
MODES = {f"{lock.title().replace(' ', '')}Lock": lock for lock in LOCKS}
# Table -> its lock, and the tables that got a new file.
Seen = tuple[dict[str, str], set[str]]


@pytest.fixture
def folder(postgresql_url: DatabaseUrl, tmp_path: Path) -> Path:
    """With one migration, applied."""
    folder = tmp_path / "migrations"
    folder.mkdir()
    (folder / "001_live.sql").write_text(LIVE)
    runner.deploy(target(postgresql_url, folder))
    return folder


def said(url: DatabaseUrl, folder: Path) -> Seen:
    first, *_ = rehearsal.rehearse(url, folder).pending[0].statements
    assert not first.untried
    called = {"posts": "messages"}
    found = {called.get(touch.table, touch.table): touch for touch in first.tables}
    locks = {name: touch.lock for name, touch in found.items() if touch.lock}
    return locks, {name for name, touch in found.items() if touch.rewrites}


def done(url: DatabaseUrl, folder: Path) -> Seen:
    """By a deploy that is looked at while it waits for the gate."""
    gate, other = connect(url), connect(url)
    gate.execute(f"SELECT pg_advisory_lock({GATE})")
    files = {number: (name, file) for number, name, file in other.execute(FILES).fetchall()}
    deploy = InBackground(runner.deploy, target(url, folder))
    try:
        ((process,),) = eventually(lambda: other.execute(WAITS).fetchall())
        held = other.execute(HELD, [process]).fetchall()
    finally:
        gate.close()
    assert deploy.outcome().newest == "002_more"
    after = {number: file for number, _, file in other.execute(FILES).fetchall()}
    other.close()
    locks: dict[str, str] = {}
    for number, mode in held:
        if mode in MODES and number in files:
            name = files[number][0]
            locks[name] = max(locks.get(name, LOCKS[0]), MODES[mode], key=LOCKS.index)
    return locks, {name for number, (name, file) in files.items() if after.get(number, file) != file}


@pytest.mark.parametrize("statement", STATEMENTS)
def test_what_is_said_is_what_a_deploy_then_does(postgresql_url: DatabaseUrl, folder: Path, statement: str) -> None:
    text = f"-- touches: part, part_of_part\n{statement};\nSELECT pg_advisory_xact_lock({GATE});"
    (folder / "002_more.sql").write_text(text)
    assert said(postgresql_url, folder) == done(postgresql_url, folder)
