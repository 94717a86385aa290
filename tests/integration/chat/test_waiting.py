from __future__ import annotations

from datetime import timedelta

import pytest

from service.bot.claim import claim
from service.bot.inbox import INBOX
from service.chat import waiting
from service.chat.respond import respond
from service.models import EDITOR, Conversation, InboxItem, User
from service.models.base import utc_now
from tests.support.chat import make_chatbot, make_user, send
from tests.support.providers import Recorder

pytestmark = pytest.mark.usefixtures("service_database")


@pytest.fixture
def owner() -> User:
    return make_user("Olga")


def available(item: InboxItem, minutes_ago: float) -> None:
    at = utc_now() - timedelta(minutes=minutes_ago)
    InboxItem.update(available_at=at).where(InboxItem.id == item.id).execute()


def test_where_nothing_waits_there_is_nothing_to_count(owner: User) -> None:
    nothing = waiting.Depth(0, 0, timedelta())
    assert waiting.depth(owner) == {"inbox": nothing, "outbox": nothing}
    assert waiting.listed(owner, "inbox") == waiting.listed(owner, "outbox") == []


def test_what_waits_is_told_from_what_somebody_has_in_hand(owner: User) -> None:
    chatbot = make_chatbot(title="Harbour desk")
    send(chatbot, "First", thread="one")
    send(chatbot, "Second", thread="two")
    InboxItem.update(created_at=utc_now() - timedelta(minutes=5)).where(InboxItem.content == "First").execute()
    assert claim(INBOX, "worker 1", 30)
    first, second = waiting.listed(owner, "inbox")
    assert (first.text, first.is_in_hand, first.holder, first.attempts) == ("First", True, "worker 1", 1)
    assert first.begun_at
    assert abs(utc_now() - first.begun_at) < timedelta(seconds=20)
    assert (second.text, second.is_in_hand, second.holder, second.chatbot) == ("Second", False, None, "Harbour desk")
    depth = waiting.depth(owner)["inbox"]
    assert (depth.waiting, depth.in_hand) == (1, 1)
    assert timedelta(minutes=5) <= depth.age < timedelta(minutes=6)


def test_what_waits_knows_its_conversation_once_there_is_one(owner: User) -> None:
    chatbot = make_chatbot()
    send(chatbot, "Hello", thread="one")
    (item,) = waiting.listed(owner, "inbox")
    assert item.conversation_id is None
    talk = Conversation.create(chatbot=chatbot, title="talk", channel="panel", thread="one")
    (item,) = waiting.listed(owner, "inbox")
    assert item.conversation_id == talk.id


def test_a_renewed_lease_does_not_change_when_the_attempt_began(owner: User) -> None:
    send(make_chatbot(), "Hello")
    lease = claim(INBOX, "worker 1", 30)
    assert lease
    InboxItem.update(begun_at=utc_now() - timedelta(minutes=4)).execute()
    lease.renew()
    (item,) = waiting.listed(owner, "inbox")
    assert item.begun_at
    assert timedelta(minutes=4) <= utc_now() - item.begun_at < timedelta(minutes=5)
    assert (item.attempts, item.tries) == (1, 5)


def test_whose_lease_has_run_out_has_nothing_in_hand_any_more(owner: User) -> None:
    send(make_chatbot(), "Hello")
    assert claim(INBOX, "worker 1", 30)
    InboxItem.update(leased_until=utc_now() - timedelta(minutes=2)).execute()
    (item,) = waiting.listed(owner, "inbox")
    assert (item.is_in_hand, item.is_abandoned, item.holder) == (False, True, "worker 1")
    depth = waiting.depth(owner)["inbox"]
    assert (depth.waiting, depth.in_hand, depth.is_neglected) == (1, 0, True)
    assert timedelta(minutes=2) <= depth.idle < timedelta(minutes=3)


def test_what_nobody_takes_is_neglected_after_a_while(owner: User) -> None:
    item = send(make_chatbot(), "Hello")
    assert not waiting.depth(owner)["inbox"].is_neglected, "it has only just come"
    available(item, minutes_ago=3)
    assert waiting.depth(owner)["inbox"].is_neglected


def test_what_is_put_off_is_not_neglected_nor_is_what_comes_after_it(owner: User) -> None:
    chatbot = make_chatbot()
    first, second = send(chatbot, "First"), send(chatbot, "Second")
    available(first, minutes_ago=-4)
    available(second, minutes_ago=3)
    assert not waiting.depth(owner)["inbox"].is_neglected
    available(send(chatbot, "Elsewhere", thread="other"), minutes_ago=2)
    assert waiting.depth(owner)["inbox"].is_neglected


def test_who_waits_while_the_worker_is_busy_with_others_is_not_neglected(owner: User) -> None:
    send(make_chatbot(title="Theirs"), "First")
    assert claim(INBOX, "worker 1", 30)
    editor = make_user("Eve")
    User.update(role=EDITOR).where(User.id == editor.id).execute()
    available(send(make_chatbot(title="Mine", user=editor), "Mine"), minutes_ago=3)
    assert not waiting.depth(User.get_by_id(editor.id))["inbox"].is_neglected


def test_what_failed_says_why_and_when_it_is_tried_again(owner: User) -> None:
    send(make_chatbot(), "Hello")
    lease = claim(INBOX, "worker 1", 30)
    assert lease
    lease.retry("The endpoint answered 503.", 60)
    (item,) = waiting.listed(owner, "inbox")
    assert (item.is_in_hand, item.reason) == (False, "The endpoint answered 503.")
    assert item.available_at > utc_now() + timedelta(seconds=50)


def test_an_answer_that_waits_for_delivery_is_in_the_outbox(owner: User) -> None:
    item = send(make_chatbot(), "Hello", channel="telegram", chat_id=7)
    lease = claim(INBOX, "worker 1", 30)
    assert lease
    respond(item, {"offline": Recorder("Hi.")}, lease.finish)
    assert waiting.listed(owner, "inbox") == []
    assert [(waits.kind, waits.text) for waits in waiting.listed(owner, "outbox")] == [("outbox", "Hi.")]
    assert waiting.depth(owner)["outbox"].waiting == 1


def test_what_waits_for_the_chatbots_of_others_is_not_told() -> None:
    editor = make_user("Eve")
    User.update(role=EDITOR).where(User.id == editor.id).execute()
    editor = User.get_by_id(editor.id)
    send(make_chatbot(title="Theirs"), "Secret")
    send(make_chatbot(title="Mine", user=editor), "Mine")
    assert [item.text for item in waiting.listed(editor, "inbox")] == ["Mine"]
    assert waiting.depth(editor)["inbox"].waiting == 1
