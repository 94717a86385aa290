from __future__ import annotations

import pytest

from service.chat import deletion
from service.chat.providers import built_in
from service.chat.receive import receive
from service.chat.respond import respond
from service.database import proxy
from service.models import (
    DEAD,
    DONE,
    LEASED,
    QUEUED,
    Chatbot,
    Conversation,
    FollowedThread,
    InboxItem,
    Message,
    OutboxItem,
    ToolLog,
)
from service.models.base import utc_now
from tests.support.chat import make_chatbot, reloaded, send, transcript

pytestmark = pytest.mark.usefixtures("service_database")


def talk(chatbot: Chatbot, content: str, *, thread: str = "one", channel: str = "panel") -> InboxItem:
    item = send(chatbot, content, thread=thread, channel=channel, sender="Ada")
    respond(item, built_in(), lambda: _end(item))
    OutboxItem.update(state=DONE).execute()
    return reloaded(item)


def _end(item: InboxItem, state: str = DONE) -> None:
    InboxItem.update(state=state, error="Its reason" if state == DEAD else None).where(
        InboxItem.id == item.id
    ).execute()


def test_a_conversation_goes_with_all_that_was_said_and_nothing_else() -> None:
    chatbot = make_chatbot()
    talk(chatbot, "Mine", channel="telegram")
    talk(chatbot, "Yours", thread="two")
    mine = Conversation.get(Conversation.thread == "one")
    ToolLog.create(session=mine, server="files", tool="read")
    assert deletion.contents(mine) == (2, 1)
    assert deletion.delete(mine) == (2, 1)
    assert transcript() == []
    assert [role for role, _content in transcript("two")] == ["user", "assistant"]
    assert (ToolLog.select().count(), OutboxItem.select().count()) == (0, 0)
    assert proxy.obj.execute_sql("SELECT count(*) FROM message_search").fetchone() == (2,)


def test_what_was_left_of_an_unfinished_answer_goes_too() -> None:
    chatbot = make_chatbot()
    for thread in ("one", "two"):
        talk(chatbot, "Hello", thread=thread)
        FollowedThread.create(chatbot=chatbot, channel="panel", thread=thread, until=utc_now(), text="Half an")
    deletion.delete(Conversation.get(Conversation.thread == "one"))
    assert [followed.thread for followed in FollowedThread.select()] == ["two"]


def test_what_the_person_wrote_is_gone_from_the_inbox_but_not_taken_for_new() -> None:
    chatbot = make_chatbot()
    item = talk(chatbot, "Mine")
    deletion.delete(Conversation.get())
    kept = reloaded(item)
    assert (kept.content, kept.metadata, kept.state, kept.reply) == ("", {}, DONE, None)
    again = receive(
        chatbot, channel="panel", external_id=item.external_id, thread="one", content="Mine", metadata={"a": 1}
    )
    assert again is None


def test_a_conversation_that_was_put_aside_is_gone_from_the_inbox_too() -> None:
    item = talk(make_chatbot(), "Mine")
    Conversation.update(thread="one, put aside").execute()
    deletion.delete(Conversation.get())
    assert reloaded(item).content == ""


def test_what_was_given_up_is_no_dead_letter_any_more() -> None:
    chatbot = make_chatbot()
    talk(chatbot, "Mine")
    dead = send(chatbot, "Unanswered")
    _end(dead, DEAD)
    deletion.delete(Conversation.get())
    assert (reloaded(dead).state, reloaded(dead).content, reloaded(dead).error) == (DONE, "", None)


@pytest.mark.parametrize("state", [QUEUED, LEASED])
@pytest.mark.parametrize("queue", [InboxItem, OutboxItem])
def test_while_something_waits_nothing_is_deleted(queue: type[InboxItem | OutboxItem], state: str) -> None:
    talk(make_chatbot(), "Mine", channel="telegram")
    queue.update(state=state).execute()
    with pytest.raises(deletion.StillAtWork, match="try again in a moment"):
        deletion.delete(Conversation.get())
    assert Message.select().count() == 2


def test_who_comes_second_deletes_nothing() -> None:
    talk(make_chatbot(), "Mine")
    conversation = Conversation.get()
    assert deletion.delete(conversation) == (2, 0)
    assert deletion.delete(conversation) is None
