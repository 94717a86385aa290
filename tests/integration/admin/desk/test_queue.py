from __future__ import annotations

import re
from datetime import timedelta

from flask import Flask

from service.bot.claim import claim
from service.bot.inbox import INBOX
from service.models import (
    DEAD,
    DONE,
    QUEUED,
    VIEWER,
    AuditEvent,
    Chatbot,
    Conversation,
    CreatorUser,
    InboxItem,
    Message,
    OutboxItem,
)
from service.models.base import utc_now
from tests.support.chat import make_chatbot, reloaded, send
from tests.support.panel import ONE_ENGINE, Browser, add_user, signed_in


def died(content: str = "Is anybody there?", reason: str = "The endpoint answered 503.") -> InboxItem:
    item = send(make_chatbot(title="Harbour desk"), content)
    lease = claim(INBOX, "worker 1", 30)
    assert lease
    lease.bury(reason)
    return reloaded(item)


def verdicts() -> list[tuple[str, str]]:
    events = AuditEvent.select().where(AuditEvent.action.startswith("deadletter"))
    return [(event.action, event.subject) for event in events]


@ONE_ENGINE
def test_where_nothing_waits_the_page_says_so(browser: Browser) -> None:
    page = browser.read("/queue/")
    assert "Nothing waits" in page
    assert "nothing to decide" in page


def test_the_page_tells_what_waits_what_is_in_hand_and_what_was_given_up(browser: Browser) -> None:
    died("Lost <b>?", "The provider refused the key.")
    chatbot = make_chatbot(title="Helper")
    send(chatbot, "Being answered", thread="one")
    assert claim(INBOX, "worker 7", 30)
    send(chatbot, "Still waiting", thread="two")
    page = browser.read("/queue/")
    assert "Lost &lt;b&gt;?" in page
    assert "The provider refused the key." in page
    assert re.search(r"Being answered.*in hand.*for <time [^>]*>\d+ seconds?</time>.*worker 7.*1 of 5", page, re.DOTALL)
    assert "Still waiting" in page
    assert "1 in hand" in page


@ONE_ENGINE
def test_messages_that_nobody_takes_bring_the_advice_to_look_at_the_worker(browser: Browser) -> None:
    item = send(make_chatbot(), "Hello")
    assert "docker compose logs bot" not in browser.read("/queue/")
    long_ago = utc_now() - timedelta(minutes=3)
    InboxItem.update(created_at=long_ago, available_at=long_ago).where(InboxItem.id == item.id).execute()
    page = browser.read("/queue/")
    assert "Messages have waited for 3 minutes, and nobody takes one in hand." in page
    assert "docker compose logs bot" in page
    assert "the oldest for 3 minutes" in page


@ONE_ENGINE
def test_whose_worker_died_over_it_is_said_to_be_dropped(browser: Browser) -> None:
    send(make_chatbot(), "Hello")
    assert claim(INBOX, "worker 7", 30)
    InboxItem.update(leased_until=utc_now() - timedelta(seconds=5)).execute()
    assert re.search(r"dropped.*worker 7.*has gone silent; the next worker takes it", browser.read("/queue/"))


@ONE_ENGINE
def test_answers_that_nobody_delivers_bring_the_advice_to_look_at_the_token(browser: Browser) -> None:
    message = Message.create(chatbot=make_chatbot(), role="assistant", content="It is.")
    talk = Conversation.create(chatbot=message.chatbot, title="talk", channel="telegram")
    long_ago = utc_now() - timedelta(hours=2)
    OutboxItem.create(conversation=talk, message=message, channel="telegram", available_at=long_ago)
    page = browser.read("/queue/")
    assert "Answers have waited for 2 hours to be delivered" in page
    assert "TELEGRAM_BOT_TOKEN" in page


def test_a_retried_message_waits_again_and_the_retry_is_on_record(browser: Browser) -> None:
    item = died()
    response = browser.submit("/queue/", to=f"/queue/inbox/{item.id}/retry")
    assert (response.status_code, response.location) == (303, "/queue/")
    assert (reloaded(item).state, reloaded(item).attempts) == (QUEUED, 0)
    assert "is tried again" in browser.read("/queue/")
    assert verdicts() == [("deadletter.retry", f"inbox {item.id}")]


def test_a_message_is_dropped_after_a_question_that_shows_it(browser: Browser) -> None:
    item = died()
    path = f"/queue/inbox/{item.id}/drop"
    question = browser.read(path)
    assert "Is anybody there?" in question
    assert "The endpoint answered 503." in question
    assert reloaded(item).state == DEAD, "asking changes nothing"
    assert browser.submit(path).status_code == 303
    assert reloaded(item).state == DONE
    assert verdicts() == [("deadletter.drop", f"inbox {item.id}")]
    assert "anybody" not in str(list(AuditEvent.select().dicts())), "what was said stays out of the record"


@ONE_ENGINE
def test_what_somebody_else_has_settled_is_not_settled_twice(browser: Browser) -> None:
    item = died()
    fields = browser.fields("/queue/")
    assert browser.send(f"/queue/inbox/{item.id}/retry", fields).status_code == 303
    for verb in ("retry", "drop"):
        assert browser.send(f"/queue/inbox/{item.id}/{verb}", fields).status_code == 404
    assert len(verdicts()) == 1


@ONE_ENGINE
def test_numbers_and_kinds_that_are_none_are_a_404(browser: Browser) -> None:
    for path in (f"/queue/inbox/{2**80}/drop", "/queue/outbox/1/drop", "/queue/letters/1/drop"):
        assert browser.get(path).status_code == 404


@ONE_ENGINE
def test_a_viewer_sees_what_was_given_up_and_is_offered_no_verdict(app: Flask) -> None:
    viewer = add_user("vera@example.org", role=VIEWER)
    item = died()
    browser = signed_in(app, viewer.email)
    assert "Is anybody there?" not in browser.read("/queue/"), "it belongs to others"
    CreatorUser.create(creator=Chatbot.get().creator, user=viewer)
    page = browser.read("/queue/")
    assert "Is anybody there?" in page
    assert f"/queue/inbox/{item.id}" not in page
