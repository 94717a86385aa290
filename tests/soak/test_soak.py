"""Every message is answered once and in order, whatever happens to workers and database meanwhile.

A few seconds in `make test`; `make soak` sends thousands: SOAK_MESSAGES, SOAK_ROUNDS."""

from __future__ import annotations

import os
import random
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import peewee as pw
import pytest

from service.database import proxy
from service.models import DONE, Conversation, InboxItem, Message, OutboxItem
from service.url import DatabaseUrl
from tests.soak.siege import Feeder, Siege
from tests.support.chat import make_chatbot
from tests.support.postgresql import GivenServer, Server
from tests.support.workers import Workers, workers

MESSAGES = int(os.environ.get("SOAK_MESSAGES", "120"))
ROUNDS = int(os.environ.get("SOAK_ROUNDS", "1"))
MESSAGES_EACH = 25
# More than two would mostly wait for the one writer that SQLite has.
WORKERS = {"sqlite": 2, "postgresql": 4}


@pytest.fixture
def started(service_database: DatabaseUrl, tmp_path: Path) -> Iterator[Workers]:
    with workers(service_database, tmp_path) as handle:
        yield handle


def test_each_message_is_answered_once_and_in_order_while_workers_die_and_the_database_restarts(
    started: Workers, request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    feeder = Feeder(make_chatbot(), MESSAGES, max(MESSAGES // MESSAGES_EACH, 4))
    siege = Siege(started, MESSAGES, ROUNDS, random.Random(7), restarting(started.url, request))
    began = time.monotonic()
    for _ in range(WORKERS[started.url.engine]):
        started.start(LEASE_SECONDS="1")
    feeder.begin()
    siege.run()
    feeder.end()
    with capsys.disabled():
        sys.stdout.write(f"\n{figures(started, feeder, siege, time.monotonic() - began)}\n")
    assert InboxItem.select().count() == MESSAGES
    assert not InboxItem.select().where(InboxItem.state != DONE).exists()
    assert Conversation.select().count() == feeder.conversations
    for thread in range(feeder.conversations):
        assert talk(thread) == expected(thread, feeder)
    assert OutboxItem.select().count() == MESSAGES, "each answer is to be delivered once"


def restarting(url: DatabaseUrl, request: pytest.FixtureRequest) -> Callable[[], None]:
    """How to restart the database; nothing, where there is no server or none of ours."""
    server: Server | None = None if url.is_sqlite else request.getfixturevalue("postgresql_server")

    def restart() -> None:
        if server and not isinstance(server, GivenServer):
            proxy.obj.close()
            server.stop()
            server.start()

    return restart


def talk(thread: int) -> list[tuple[str, str]]:
    """Who said what: a question by itself, an answer by the question that it refers to."""
    asked = Message.alias()
    said: Any = (
        Message.select(Message.role, Message.content, asked.content.alias("question"))
        .join(asked, pw.JOIN.LEFT_OUTER, on=Message.reply_to == asked.id)
        .switch(Message)
        .join(Conversation, on=Message.conversation == Conversation.id)
        .where(Conversation.thread == str(thread))
        .order_by(Message.id)
    )
    return [(role, question or content) for role, content, question in said.tuples()]


def expected(thread: int, feeder: Feeder) -> list[tuple[str, str]]:
    count = len(range(thread, feeder.messages, feeder.conversations))
    return [(role, f"{thread}/{number}") for number in range(count) for role in ("user", "assistant")]


def figures(started: Workers, feeder: Feeder, siege: Siege, seconds: float) -> str:
    again = InboxItem.select().where(InboxItem.attempts > 1).count()
    return (
        f"soak, {started.url.engine}: {MESSAGES} messages in {feeder.conversations} conversations,"
        f" {WORKERS[started.url.engine]} workers, {siege.kills} killed, {seconds:.1f} s,"
        f" {MESSAGES / seconds:.0f} messages/s, {again} answered in a later attempt,"
        f" {started.log.count('Its result is dropped')} results dropped, {feeder.faults} sendings repeated"
    )
