from __future__ import annotations

import threading

import psycopg2
import pytest
from psycopg2.extensions import make_dsn

from service.chat import threads
from service.chat.receive import amend, receive
from service.database import connection
from service.models import DEAD, DONE, LEASED, QUEUED, Chatbot, Conversation, InboxItem
from service.url import DatabaseUrl
from tests.support.chat import make_chatbot, reloaded, send
from tests.support.processes import eventually

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


def edit(item: InboxItem, content: str, message_id: int) -> bool:
    return amend(
        item.chatbot,
        channel=item.channel,
        thread=item.thread,
        message_id=message_id,
        content=content,
        metadata={"message_id": message_id, "new": True},
    )


def test_a_message_that_waits_is_replaced_by_what_its_author_made_of_it(service_database: DatabaseUrl) -> None:
    chatbot = make_chatbot()
    first, second = (send(chatbot, text, message_id=number) for number, text in ((3, "Helo"), (4, "Bye")))
    assert edit(first, "Hel\x00lo", 3)
    assert (reloaded(first).content, reloaded(first).metadata["new"]) == ("Hello", True)
    assert reloaded(second).content == "Bye"


@pytest.mark.parametrize("state", [LEASED, DONE, DEAD])
def test_a_message_that_is_in_hand_or_was_stays_as_it_is(service_database: DatabaseUrl, state: str) -> None:
    item = send(make_chatbot(), "Helo", message_id=3)
    InboxItem.update(state=state).execute()
    assert not edit(item, "Hello", 3)
    assert reloaded(item).content == "Helo"


def test_a_message_with_that_number_elsewhere_is_another_one(service_database: DatabaseUrl) -> None:
    chatbot = make_chatbot()
    item = send(chatbot, "Helo", thread="there", message_id=3)
    assert not edit(send(chatbot, "Hi", thread="here", message_id=4), "Hello", 3)
    assert reloaded(item).content == "Helo"


def test_a_thread_that_gets_another_name_keeps_its_talk_and_what_waits(service_database: DatabaseUrl) -> None:
    chatbot = make_chatbot()
    talk = Conversation.create(chatbot=chatbot, title="Talk", channel="panel", thread="old")
    waiting, other = send(chatbot, "Hello", thread="old"), send(chatbot, "Hello", thread="older")
    assert threads.rename("panel", "old", "new") == 1
    assert Conversation.get_by_id(talk.id).thread == "new"
    assert [reloaded(item).thread for item in (waiting, other)] == ["new", "older"]


def test_a_talk_that_has_begun_under_the_new_name_is_not_mixed_with_the_old_one(service_database: DatabaseUrl) -> None:
    chatbot = make_chatbot()
    for thread in ("old", "new"):
        Conversation.create(chatbot=chatbot, title="Talk", channel="panel", thread=thread)
    assert threads.rename("panel", "old", "new") == 0
    assert sorted(talk.thread or "" for talk in Conversation.select()) == ["new", "old"]
