"""The words of messages are kept as these come, change and go."""

from __future__ import annotations

import pytest

from service.chat.providers import built_in
from service.chat.respond import respond
from service.chat.search import index, index_missing
from service.chat.words import words
from service.database import proxy
from service.models import Message
from tests.support.chat import make_chatbot, send
from tests.support.searching import ids, write

pytestmark = pytest.mark.usefixtures("service_database")


def test_a_megabyte_of_different_words_is_found_by_the_first() -> None:
    make_chatbot()
    write([" ".join(f"word{number}" for number in range(150_000))])
    assert ids("word7 word999") == [1]


def test_an_answer_is_found_as_soon_as_it_is_written() -> None:
    reply = respond(send(make_chatbot(), "Where is the Fährhaus?"), built_in(), lambda: None)
    question = reply.reply_to
    assert ids("fahrhaus where") == [reply.id, question.id]


def test_a_message_that_changed_is_found_by_its_new_words_alone() -> None:
    make_chatbot()
    write(["old words"])
    message = Message.get()
    message.content = "new ones"
    index(message)
    assert (ids("old"), ids("new")) == ([], [1])


def test_messages_without_words_get_them_the_newest_first() -> None:
    chatbot = make_chatbot()
    for number in range(5):
        Message.create(chatbot=chatbot, role="user", content=f"ferry {number}" if number else "…")
    assert ids("ferry") == []
    newest = index_missing(2)
    assert newest == [5, 4]
    assert [Message.get_by_id(number).content for number in ids("ferry")] == ["ferry 4", "ferry 3"]
    assert index_missing(100, below=newest[-1]) == [3, 2, 1]
    assert index_missing(100) == [], "one without a letter counts as done"
    assert len(ids("ferry")) == 4


def test_a_message_that_is_deleted_while_its_words_are_looked_for_leaves_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    message = Message.create(chatbot=make_chatbot(), role="user", content="ferry")

    def slow(content: str) -> list[str]:
        Message.delete().where(Message.id == message.id).execute()
        return words(content)

    monkeypatch.setattr("service.chat.search.words", slow)
    assert index_missing(10) == [message.id]
    assert proxy.obj.execute_sql("SELECT count(*) FROM message_search").fetchone() == (0,)


def test_a_deleted_message_leaves_no_words() -> None:
    make_chatbot()
    write(["ferry", "ferry"])
    Message.delete().where(Message.id == 1).execute()
    assert ids("ferry") == [2]
    assert proxy.obj.execute_sql("SELECT count(*) FROM message_search").fetchone() == (1,)
