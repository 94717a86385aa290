"""Work that was given up, and what becomes of it."""

from __future__ import annotations

import threading
from functools import partial

import pytest

from service.bot.claim import claim
from service.bot.inbox import INBOX, answer
from service.bot.lease import Lease
from service.bot.outbox import outbox
from service.chat import deadletters
from service.chat.deadletters import DeadLetter, Kind
from service.chat.respond import respond
from service.models import DEAD, DONE, EDITOR, QUEUED, InboxItem, OutboxItem, User
from tests.support.chat import make_chatbot, make_user, reloaded, send, transcript
from tests.support.panel import at_once
from tests.support.providers import Recorder

pytestmark = pytest.mark.usefixtures("service_database")


@pytest.fixture
def owner() -> User:
    return make_user("Olga")


def died(content: str = "Hello", **where: str) -> InboxItem:
    item = send(make_chatbot(title="Harbour desk"), content, **where)
    buried(item)
    return item


def buried(item: InboxItem, reason: str = "The endpoint answered 503.") -> None:
    lease = taken()
    assert lease.item == item
    lease.bury(reason)


def taken(holder: str = "one") -> Lease[InboxItem]:
    lease = claim(INBOX, holder, 30)
    assert lease is not None
    return lease


def undeliverable() -> OutboxItem:
    """An answer that Telegram refused for good."""
    item = send(make_chatbot(title="Harbour desk"), "Hello", channel="telegram", chat_id=7)
    respond(item, {"offline": Recorder("Hi.")}, taken().finish)
    lease = claim(outbox("telegram"), "one", 30)
    assert lease is not None
    lease.bury("Telegram refuses the message: bot was blocked by the user")
    found: OutboxItem = OutboxItem.get()
    return found


def only(user: User, kind: Kind = "inbox") -> DeadLetter:
    (letter,) = deadletters.listed(user, kind)
    return letter


def test_a_dead_letter_tells_what_it_was_and_why_it_died(owner: User) -> None:
    item = died("When is the tide?")
    letter = only(owner)
    assert (letter.kind, letter.id, letter.chatbot, letter.channel) == ("inbox", item.id, "Harbour desk", "panel")
    assert (letter.text, letter.reason, letter.attempts) == ("When is the tide?", "The endpoint answered 503.", 1)
    assert letter.died_at
    assert letter.died_at >= letter.created_at
    assert letter.conversation_id is None, "nothing was ever said in it"


def test_one_of_the_outbox_tells_the_answer_and_its_conversation(owner: User) -> None:
    item = undeliverable()
    letter = only(owner, "outbox")
    assert (letter.id, letter.text, letter.chatbot) == (item.id, "Hi.", "Harbour desk")
    assert letter.conversation_id == item.conversation.id
    assert "blocked" in letter.reason


def test_what_is_waiting_or_done_is_no_dead_letter(owner: User) -> None:
    send(make_chatbot(), "Done")
    taken().finish()
    send(make_chatbot(), "Waiting")
    assert deadletters.listed(owner, "inbox") == []
    assert deadletters.count(owner) == {"inbox": 0, "outbox": 0}


def test_they_are_listed_newest_first_and_page_by_page(owner: User) -> None:
    items = [died(str(number), thread=str(number)) for number in range(5)]
    first = deadletters.listed(owner, "inbox", limit=3)
    rest = deadletters.listed(owner, "inbox", limit=3, before=first[-1].id)
    assert [letter.id for letter in [*first, *rest]] == [item.id for item in reversed(items)]
    assert deadletters.count(owner) == {"inbox": 5, "outbox": 0}


def test_those_of_somebody_elses_chatbot_are_as_good_as_not_there() -> None:
    item, letter = died(), undeliverable()
    stranger = make_user("Eve")
    stranger.role = EDITOR
    assert deadletters.count(stranger) == {"inbox": 0, "outbox": 0}
    assert deadletters.find(stranger, "inbox", item.id) is None
    assert deadletters.find(stranger, "outbox", letter.id) is None


def test_a_retried_question_is_answered_as_if_it_were_new(owner: User) -> None:
    item = died()
    assert deadletters.retry(only(owner))
    assert (reloaded(item).state, reloaded(item).attempts, reloaded(item).finished_at) == (QUEUED, 0, None)
    lease = taken()
    answer(lease, {"offline": Recorder("Hi.")})
    assert (reloaded(item).state, reloaded(item).attempts) == (DONE, 1)
    assert transcript() == [("user", "Hello"), ("assistant", "Hi.")]
    assert deadletters.find(owner, "inbox", item.id) is None


def test_a_retried_delivery_is_made_again(owner: User) -> None:
    item = undeliverable()
    assert deadletters.retry(only(owner, "outbox"))
    lease = claim(outbox("telegram"), "one", 30)
    assert lease is not None
    assert (lease.item, lease.item.attempts) == (item, 1)


def test_a_dropped_one_is_over_and_its_number_is_still_known(owner: User) -> None:
    item = died()
    assert deadletters.drop(only(owner))
    assert (reloaded(item).state, reloaded(item).error) == (DONE, "The endpoint answered 503.")
    assert claim(INBOX, "one", 30) is None
    assert deadletters.listed(owner, "inbox") == []


def test_of_those_who_decide_at_once_one_was_first(owner: User) -> None:
    died()
    letter = only(owner)
    verdicts: list[bool] = []
    choices = iter([deadletters.retry, deadletters.drop] * 3)
    at_once(6, lambda: verdicts.append(next(choices)(letter)))
    assert sorted(verdicts) == [False] * 5 + [True]


def test_a_retried_question_comes_before_what_has_come_since(owner: User) -> None:
    item = died()
    later = send(item.chatbot, "Are you there?")
    deadletters.retry(only(owner))
    first = taken()
    assert first.item == item
    assert claim(INBOX, "two", 30) is None
    first.finish()
    assert taken("two").item == later


def test_a_retried_question_waits_while_a_later_one_is_in_hand(owner: User) -> None:
    item = died()
    send(item.chatbot, "Are you there?")
    in_hand = taken("one")
    deadletters.retry(only(owner))
    assert claim(INBOX, "two", 30) is None
    in_hand.finish()
    assert taken("two").item == item


def test_a_retried_question_does_not_wait_for_a_worker_that_died_but_for_the_answer_that_it_owed(owner: User) -> None:
    item = died()
    later = send(item.chatbot, "Are you there?")
    taken("one")
    InboxItem.update(leased_until=item.created_at).where(InboxItem.id == later.id).execute()
    deadletters.retry(only(owner))
    begun = taken("two")
    assert begun.item == later
    begun.finish()
    assert taken("two").item == item


def test_an_outage_that_killed_many_is_mended_by_retrying_them(owner: User) -> None:
    """Each conversation gets its answer once, whatever order they are retried in."""
    items = [died(f"Question {number}", thread=str(number)) for number in range(6)]
    for letter in deadletters.listed(owner, "inbox"):
        assert deadletters.retry(letter)
    work = partial(answer, providers={"offline": Recorder("Hi.")})

    def drain(name: str) -> None:
        while lease := claim(INBOX, name, 30):
            work(lease)

    workers = [threading.Thread(target=drain, args=(f"worker {number}",)) for number in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [reloaded(item).state for item in items] == [DONE] * 6
    assert all(len(transcript(str(number))) == 2 for number in range(6))
    assert not InboxItem.select().where(InboxItem.state == DEAD).exists()
