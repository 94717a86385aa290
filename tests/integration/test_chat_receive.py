from __future__ import annotations

import threading

import psycopg2
import pytest
from psycopg2.extensions import make_dsn

from service.chat.receive import receive
from service.database import connection
from service.models import QUEUED, Chatbot, InboxItem
from service.url import DatabaseUrl
from tests.support.chat import make_chatbot
from tests.support.workers import eventually

on_postgresql = pytest.mark.parametrize("service_database", ["postgresql"], indirect=True)


def arrive(chatbot: Chatbot, external_id: str, content: str = "Hello") -> InboxItem | None:
    return receive(
        chatbot, channel="telegram", external_id=external_id, thread="7", content=content, metadata={"chat_id": 7}
    )


def test_a_message_is_stored_and_waits(service_database: DatabaseUrl) -> None:
    item = arrive(make_chatbot(), "1")
    assert item is not None
    stored = InboxItem.get_by_id(item.id)
    assert (stored.state, stored.attempts, stored.content, stored.thread) == (QUEUED, 0, "Hello", "7")
    assert stored.metadata == {"chat_id": 7}


def test_a_message_that_arrives_twice_is_stored_once(service_database: DatabaseUrl) -> None:
    chatbot = make_chatbot()
    assert arrive(chatbot, "1") is not None
    assert arrive(chatbot, "1", "Hello again") is None
    assert [item.content for item in InboxItem.select()] == ["Hello"]


def test_a_message_that_arrives_many_times_at_once_is_stored_once(service_database: DatabaseUrl) -> None:
    chatbot = make_chatbot()
    stored: list[InboxItem | None] = []
    threads = [threading.Thread(target=lambda: stored.append(arrive(chatbot, "1"))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(stored) == 6
    assert sum(item is not None for item in stored) == 1
    assert InboxItem.select().count() == 1


def test_characters_that_no_database_takes_do_not_lose_the_message(service_database: DatabaseUrl) -> None:
    assert arrive(make_chatbot(), "1", "before\x00after \ud83d") is not None
    assert InboxItem.get().content == "beforeafter ?"


@on_postgresql
def test_messages_of_one_thread_get_their_numbers_in_the_order_of_their_commits(service_database: DatabaseUrl) -> None:
    """A sequence hands out numbers before the commit: without taking turns, 2 could be seen and answered before 1."""
    chatbot = make_chatbot()
    later = threading.Thread(target=arrive, args=(chatbot, "later"))
    with connection() as database, database.atomic():
        earlier = arrive(chatbot, "earlier")
        later.start()
        later.join(0.3)
        assert later.is_alive()
    later.join()
    assert earlier is not None
    assert earlier.id < InboxItem.get(InboxItem.external_id == "later").id


@on_postgresql
def test_a_stored_message_is_announced(service_database: DatabaseUrl) -> None:
    listener = psycopg2.connect(make_dsn(**service_database.libpq()))
    listener.autocommit = True
    listener.cursor().execute("LISTEN slipway_inbox")
    arrive(make_chatbot(), "1")
    eventually(lambda: listener.poll() or listener.notifies)
    listener.close()
