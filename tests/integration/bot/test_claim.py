"""What a claim costs, and whose turn it is where a few conversations fill the front of the queue."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from service.bot.claim import FRONT, LANES, claim, is_worthwhile
from service.bot.inbox import INBOX
from service.bot.outbox import outbox
from service.database import connection, is_sqlite, proxy
from service.models import LEASED, Conversation, InboxItem, Message, OutboxItem
from service.models.base import utc_now
from tests.support.chat import make_chatbot, send

pytestmark = pytest.mark.usefixtures("service_database")

_batches = itertools.count(1)
FILL = """
WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {rows})
INSERT INTO inbox
  (chatbot_id, channel, external_id, thread, content, metadata, state, attempts, available_at, created_at)
SELECT {chatbot}, 'panel', 'batch {batch}/' || n, 'thread ' || mod(n, {threads}), '?', '{{}}', 'queued', 0, '{now}',
  '{now}'
FROM numbers"""
_BELIEVED = "UPDATE pg_class SET relpages = %s, reltuples = %s WHERE relname = 'inbox'"


def fill(chatbot: int, rows: int, threads: int) -> None:
    now = utc_now()
    proxy.obj.execute_sql(FILL.format(chatbot=chatbot, rows=rows, threads=threads, now=now, batch=next(_batches)))


def taken(holder: str = "one") -> InboxItem:
    lease = claim(INBOX, holder, 30)
    assert lease is not None
    return lease.item


def effort() -> int:
    """What one claim takes: rows that PostgreSQL reads, steps that SQLite's machine makes. It is taken back."""
    steps = itertools.count()
    with connection() as opened, opened.atomic() as transaction:
        database: Any = opened
        if is_sqlite(database):
            database.connection().set_progress_handler(lambda: next(steps) * 0, 1)
        before = _rows_read(database)
        assert claim(INBOX, "one more", 30)
        read = _rows_read(database) - before
        if is_sqlite(database):
            database.connection().set_progress_handler(None, 1)
        transaction.rollback()
    return read + next(steps)


def _rows_read(database: Any) -> int:
    if is_sqlite(database):
        return 0
    query = "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relname = 'inbox'"
    [(read,)] = database.execute_sql(query).fetchall()
    return int(read)


@pytest.mark.parametrize("threads", [1_000, 1], ids=["many conversations", "one that is in hand"])
def test_a_claim_takes_the_same_effort_however_much_waits(threads: int) -> None:
    """PostgreSQL knows nothing of what was just stored, and guesses by the size of the table: some thousands are so few
    to it that it would as soon sort them."""
    chatbot = make_chatbot().id
    fill(chatbot, 2 * FRONT, threads)
    taken()
    fill(chatbot, 1, 2)
    send(make_chatbot(), "And I?")
    little = effort()
    for rows in (5_000, 45_000):
        fill(chatbot, rows, threads)
        assert effort() <= little + 10


@pytest.fixture(params=[(2_500, 0), (2_500, 1), (5, 0)], ids=str)
def mistaken(request: pytest.FixtureRequest, service_database: object) -> Iterator[None]:
    """PostgreSQL last looked when a long queue had been worked off: so many pages with so many rows, it believes."""
    if is_sqlite(proxy.obj):
        pytest.skip("SQLite keeps no such count")
    proxy.obj.execute_sql(_BELIEVED, request.param)
    yield
    proxy.obj.execute_sql(_BELIEVED, (0, -1))


@pytest.mark.usefixtures("mistaken")
@pytest.mark.parametrize("threads", [1_000, 1], ids=["many conversations", "one that is in hand"])
def test_nor_does_it_matter_that_the_table_was_empty_when_it_was_counted(threads: int) -> None:
    chatbot = make_chatbot().id
    fill(chatbot, 5_000, threads)
    taken()
    send(make_chatbot(), "And I?")
    little = effort()
    fill(chatbot, 20_000, threads)
    assert effort() <= little + 10 < 2_000


def test_who_is_behind_a_flood_of_one_conversation_is_served_in_turn() -> None:
    flooded = make_chatbot()
    flood = [send(flooded, f"{number}", thread="flood") for number in range(FRONT + 5)]
    others = [send(make_chatbot(), "And I?"), send(flooded, "And I?", thread="a"), send(make_chatbot(), "And I?")]
    assert [taken(f"worker {number}") for number in range(4)] == [flood[0], *others]
    assert claim(INBOX, "one too many", 30) is None


def test_behind_many_floods_the_oldest_is_served_first_however_its_conversation_is_called() -> None:
    chatbot = make_chatbot()
    fill(chatbot.id, FRONT + 5, FRONT + 5)
    InboxItem.update(state=LEASED, leased_by="others", leased_until=utc_now() + timedelta(hours=1)).execute()
    assert claim(INBOX, "one too many", 30) is None
    assert LANES > FRONT + 5
    oldest, _younger = send(chatbot, "And I?", thread="z"), send(chatbot, "And I?", thread="a")
    assert taken("one more") == oldest


def test_an_answer_for_another_channel_is_nobodys_business_even_in_a_flood() -> None:
    chatbot = make_chatbot()
    for channel, answers in (("pigeon", FRONT + 5), ("telegram", 1)):
        talk = Conversation.create(chatbot=chatbot, title="Talk", channel=channel, thread="one")
        for _ in range(answers):
            said: Any = Message.create(chatbot=chatbot, conversation=talk, role="assistant", content="Hi.")
            last = OutboxItem.create(conversation=talk, message=said, channel=channel)
    lease = claim(outbox("telegram"), "one", 30)
    assert lease is not None
    assert lease.item == last
    assert claim(outbox("telegram"), "two", 30) is None


def test_a_claim_is_worthwhile_where_anything_is_not_in_other_hands() -> None:
    assert not is_worthwhile(INBOX, "one")
    item = send(make_chatbot(), "Hello")
    assert is_worthwhile(INBOX, "one")
    lease = claim(INBOX, "one", 30)
    assert lease is not None
    assert not is_worthwhile(INBOX, "two")
    assert is_worthwhile(INBOX, "one"), "it has dropped what it still holds when it asks"
    InboxItem.update(leased_until=item.created_at).execute()
    assert is_worthwhile(INBOX, "two"), "whoever had it is dead"
    lease.finish()
    assert not is_worthwhile(INBOX, "one")


def test_an_answer_for_another_channel_makes_no_claim_worthwhile() -> None:
    chatbot = make_chatbot()
    talk = Conversation.create(chatbot=chatbot, title="Talk", channel="pigeon", thread="one")
    said: Any = Message.create(chatbot=chatbot, conversation=talk, role="assistant", content="Hi.")
    OutboxItem.create(conversation=talk, message=said, channel="pigeon")
    assert not is_worthwhile(outbox("telegram"), "one")
    assert is_worthwhile(outbox("pigeon"), "one")


def test_who_takes_a_message_is_told_whether_there_are_others() -> None:
    chatbot = make_chatbot()
    for _ in range(2):
        send(chatbot, "Hello")
    lease = claim(INBOX, "one", 30)
    assert lease is not None
    assert lease.item.has_others
    lease.finish()
    assert not taken().has_others
