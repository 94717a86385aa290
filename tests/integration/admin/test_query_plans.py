"""No page looks through a large table from one end to the other: PostgreSQL's own plans say so."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from datetime import date, timedelta
from typing import Any

import pytest
from psycopg2.extensions import connection as Connection

from service.chat.context import HISTORY, Context, history
from service.database import bind, proxy
from service.models import ChatbotVersion, Conversation, InboxItem, User
from service.url import ROOT, DatabaseUrl
from tests.support import population
from tests.support.pages import addresses
from tests.support.panel import PASSWORD_HASH, Browser, panel
from tests.support.postgresql import Server, connect, create_database, drop_database
from tests.support.routes import furnish
from tests.support.statements import Statements, heard

# What grows with use. People, tokens and duties stay few.
LARGE = {
    "audit_log",
    "conversations",
    "inbox",
    "message_search",
    "messages",
    "outbox",
    "tool_logs",
    "usage_days",
}
# The steps of a plan that hand on a row before they have read all.
STREAMING = {
    "Append",
    "Incremental Sort",
    "Limit",
    "Memoize",
    "Merge Append",
    "Nested Loop",
    "Result",
    "Subquery Scan",
}
# A small table is cheap to read as a whole, and so is one of its indexes: cheaper than many looks at a disk.
AS_IF_LARGE = "SET enable_seqscan = off; SET random_page_cost = 1"
SIZE = population.Size(chatbots=100, conversations=200, messages=20_000)

ANSWERED = """
    INSERT INTO inbox (chatbot_id, channel, external_id, thread, content, metadata, state, attempts, available_at,
                       created_at)
    SELECT chatbot_id, channel, 'long-ago-' || n, thread, repeat('Which tide? ', 15), '{}', 'done', 1, now(), now()
    FROM conversations, generate_series(1, 20000) n WHERE id = %s"""


@pytest.fixture(scope="module")
def busy(_session_server: Server, _postgresql_template: str) -> Iterator[DatabaseUrl]:
    url = create_database(_session_server, template=_postgresql_template)
    population.fill(url, SIZE, PASSWORD_HASH)
    bind(url)
    yield url
    proxy.obj.close()
    drop_database(_session_server, url)


@pytest.fixture
def statements() -> Iterator[Statements]:
    with heard(lambda statement: statement.lstrip(" (\n").upper().startswith(("SELECT", "WITH"))) as statements:
        yield statements


def test_no_page_reads_a_large_table_from_end_to_end(busy: DatabaseUrl, statements: Statements) -> None:
    app = panel(busy, ROOT / "migrations")
    values = furnish(User.get_by_id(1)) | {"conversation_id": 190}
    browser = Browser(app)
    assert browser.sign_in(population.EMAIL).status_code == 303
    found, heard = [], 0
    with closing(connect(busy)) as connection:
        connection.cursor().execute(AS_IF_LARGE)
        for address in addresses(app, values):
            answer = browser.get(address)
            assert answer.status_code in (200, 302, 303), address
            assert "?" not in address or 'class="chip"' in answer.text, f"{address} filters by nothing"
            heard += len(statements.asked)
            found += [f"{address}: {line}" for line in whole_reads(connection, statements.asked)]
            statements.asked.clear()
    assert heard > 100, "Peewee's log was not heard"
    assert not found, "\n".join(found)


def test_a_read_from_end_to_end_is_noticed(busy: DatabaseUrl) -> None:
    with closing(connect(busy)) as connection:
        connection.cursor().execute(AS_IF_LARGE)
        for statement in (
            "SELECT * FROM messages WHERE content = 'storm'",
            "SELECT count(*) FROM messages",
            "SELECT * FROM messages WHERE input_tokens = 5 ORDER BY content LIMIT 5",
        ):
            assert list(whole_reads(connection, [(statement, None)])), statement
        for statement in (
            "SELECT * FROM messages WHERE id = 5",
            "SELECT * FROM messages ORDER BY id DESC LIMIT 5",
            "SELECT * FROM message_search WHERE words @@ 'storm'::tsquery",
        ):
            assert not list(whole_reads(connection, [(statement, None)])), statement


LONG_AGO = date.today() - timedelta(days=100)


@pytest.mark.parametrize(
    "asked", [f"who={population.EMAIL}", "action=session", "action=nothing", f"until={LONG_AGO}", "since=2001-01-01"]
)
def test_the_record_of_changes_is_narrowed_without_reading_it(
    busy: DatabaseUrl, statements: Statements, asked: str
) -> None:
    browser = Browser(panel(busy, ROOT / "migrations"))
    assert browser.sign_in(population.EMAIL).status_code == 303
    statements.asked.clear()
    browser.read(f"/audit-log/?{asked}")
    with closing(connect(busy)) as connection, connection.cursor() as cursor:
        touched = [blocks(cursor, statement, values) for statement, values in statements.asked]
    assert max(touched) < 60, "the table has about a thousand"


def test_a_search_for_what_many_said_looks_at_few_of_their_messages(busy: DatabaseUrl, statements: Statements) -> None:
    browser = Browser(panel(busy, ROOT / "migrations"))
    assert browser.sign_in(population.EMAIL).status_code == 303
    statements.asked.clear()
    assert browser.read("/conversations/?words=harbour+pilot").count("<mark>") > 25
    with closing(connect(busy)) as connection, connection.cursor() as cursor:
        [touched] = [
            blocks(cursor, statement, values) for statement, values in statements.asked if "LATERAL" in statement
        ]
    assert touched < 2500, "the words of 2,500 messages are four times as many"


def test_the_conversations_of_a_persona_are_found_without_their_messages(
    busy: DatabaseUrl, statements: Statements
) -> None:
    browser = Browser(panel(busy, ROOT / "migrations"))
    assert browser.sign_in(population.EMAIL).status_code == 303
    statements.asked.clear()
    browser.read("/conversations/?persona=51")
    with closing(connect(busy)) as connection, connection.cursor() as cursor:
        cursor.execute(AS_IF_LARGE)
        [asked] = [(statement, values) for statement, values in statements.asked if '"persona_id" = ' in statement]
        cursor.execute(f"EXPLAIN {asked[0]}", asked[1])
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert re.search(r"Index Only Scan using messages_persona_id_conversation_id on messages", plan), plan


def test_a_transcript_reads_nothing_of_what_its_chatbot_answered_long_ago(
    busy: DatabaseUrl, statements: Statements
) -> None:
    browser = Browser(panel(busy, ROOT / "migrations"))
    assert browser.sign_in(population.EMAIL).status_code == 303
    with closing(connect(busy)) as connection, connection.cursor() as cursor:
        cursor.execute(ANSWERED, (190,))
        cursor.execute("ANALYZE inbox")
        connection.commit()
        statements.asked.clear()
        browser.read("/conversations/190")
        touched = [blocks(cursor, statement, values) for statement, values in statements.asked if "inbox" in statement]
    assert touched
    assert max(touched) < 20, "the table has about a thousand"


# Said between those of all others, as it is where a conversation goes on for years.
TALK = """
INSERT INTO messages (chatbot_id, conversation_id, role, content, metadata, created_at)
SELECT 1, CASE WHEN mod(n, 20) = 0 THEN 190 ELSE mod(n, 180) + 1 END, 'user', repeat('ferry ', 50), '{}', now()
FROM generate_series(1, 40000) n
"""


def test_an_answer_reads_the_newest_messages_however_long_the_conversation_is(
    busy: DatabaseUrl, statements: Statements
) -> None:
    asked = Context(InboxItem(), ChatbotVersion(), Conversation(id=190), None, None, None)
    database = proxy.obj
    with database.connection_context(), database.atomic() as transaction:
        database.execute_sql(TALK)
        database.execute_sql("ANALYZE messages")
        statements.asked.clear()
        assert len(history(asked)) == HISTORY
        [(statement, values)] = statements.asked
        touched = blocks(database.cursor(), statement, values)
        transaction.rollback()
    assert touched < 100, "the conversation is spread over two thousand"


def blocks(cursor: Any, statement: str, values: Any) -> int:
    """How many blocks of 8 KB the statement looks at."""
    cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}", values or None)
    plan = cursor.fetchall()[0][0][0]["Plan"]
    return int(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])


def whole_reads(connection: Connection, asked: list[tuple[str, Any]]) -> Iterator[str]:
    """The statements that read a large table without a condition on an index and without an end."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT indexrelid::regclass::text FROM pg_index WHERE indpred IS NOT NULL")
        partial = {name for (name,) in cursor.fetchall()}
        for statement, values in asked:
            cursor.execute(f"EXPLAIN (FORMAT JSON) {statement}", values or None)
            [(shown,)] = cursor.fetchall()
            for table in _unguided(shown[0]["Plan"], partial, is_limited=False):
                yield f"{table} by {statement}"


def _unguided(node: dict[str, Any], partial: set[str], *, is_limited: bool) -> Iterator[str]:
    kind = node["Node Type"]
    is_guided = is_limited or "Index Cond" in node or kind == "Bitmap Heap Scan" or node.get("Index Name") in partial
    if node.get("Relation Name") in LARGE and (kind == "Seq Scan" or not is_guided):
        yield f"{kind} on {node['Relation Name']}"
    # A limit ends a read early, unless everything has to be sorted, grouped or hashed before the first row comes.
    goes_on = (is_limited or kind == "Limit") and kind in STREAMING
    for child in node.get("Plans", ()):
        yield from _unguided(child, partial, is_limited=goes_on)
