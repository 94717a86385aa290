"""An answer is seen by those who follow its thread while it is being written, and costs nothing where nobody does."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial

import pytest

from service.bot import showing
from service.bot.claim import claim
from service.bot.inbox import INBOX, answer
from service.bot.lease import Lease
from service.chat import following
from service.chat.providers import Chunk, ProviderError, Request, built_in
from service.database import proxy
from service.models import DONE, FollowedThread, InboxItem
from service.models.base import utc_now
from tests.support.chat import make_chatbot, reloaded, send, transcript
from tests.support.panel import ONE_ENGINE
from tests.support.processes import HANGS, eventually
from tests.support.statements import Statements, heard
from tests.support.workers import Workers

pytestmark = pytest.mark.usefixtures("service_database")

SECRET = "what nobody else may read"


def pens() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("show ")]


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What one test has begun to show must not reach the next."""
    monkeypatch.setattr(showing, "EVERY", 0.01)
    eventually(lambda: not pens())
    yield
    eventually(lambda: not pens())


@dataclass
class Stepwise:
    """Says the next piece when the test lets it, and then fails if it is to."""

    pieces: tuple[str, ...]
    error: Exception | None = None
    next: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    def stream(self, _request: Request) -> Iterator[Chunk]:
        for piece in self.pieces:
            self.next.acquire()
            yield piece
        self.next.acquire()
        if self.error:
            raise self.error


def asked(content: str = "Hello", *, is_followed: bool = True) -> InboxItem:
    chatbot = make_chatbot()
    if is_followed:
        following.follow(chatbot.id, "panel", "one")
    return send(chatbot, content)


def taken(holder: str = "one") -> Lease[InboxItem]:
    lease = claim(INBOX, holder, 30)
    assert lease is not None
    return lease


@dataclass
class Writing:
    """An answer that is being written in a thread of its own."""

    provider: Stepwise
    thread: threading.Thread
    lease: Lease[InboxItem]

    def go_on(self) -> None:
        self.provider.next.release()

    def end(self) -> None:
        for _ in range(len(self.provider.pieces) + 1):
            self.go_on()
        self.thread.join(HANGS)
        assert not self.thread.is_alive()


def begun(*pieces: str, error: Exception | None = None) -> Writing:
    provider, lease = Stepwise(pieces, error), taken()

    def work() -> None:
        with proxy.obj.connection_context():
            try:
                answer(lease, {"offline": provider})
            except ProviderError:
                lease.retry("failed", 0)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return Writing(provider, thread, lease)


def shows(item: InboxItem, text: str) -> bool:
    return following.written(item.id) == text


def test_who_follows_sees_the_answer_grow_and_in_the_end_only_what_is_stored() -> None:
    item = asked()
    writing = begun("  The fer", "ry leaves ", "at noon. ")
    assert following.written(item.id) == ""
    for seen in ("The fer", "The ferry leaves", "The ferry leaves at noon."):
        writing.go_on()
        eventually(partial(shows, item, seen))
        assert transcript() == []
    writing.end()
    eventually(lambda: following.written(item.id) == "")
    assert transcript() == [("user", "Hello"), ("assistant", "The ferry leaves at noon.")]


def test_what_can_not_be_stored_is_not_shown_either() -> None:
    item = asked()
    writing = begun("A \x00 and half a pair \ud83d")
    writing.go_on()
    eventually(lambda: following.written(item.id) == "A  and half a pair ?")
    writing.end()


def test_who_begins_to_follow_in_the_middle_sees_the_rest_once_the_lease_was_renewed() -> None:
    item = asked(is_followed=False)
    writing = begun("The fer", "ry leaves", " at noon.")
    writing.go_on()
    following.follow(item.chatbot_id, "panel", "one")
    writing.lease.renew()
    writing.go_on()
    eventually(partial(shows, item, "The ferry leaves"))
    writing.end()


def test_what_is_very_long_is_seen_as_far_as_anybody_reads_along(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(showing, "LONGEST", 5)
    item = asked()
    writing = begun("The", " ferry")
    writing.go_on()
    eventually(partial(shows, item, "The"))
    writing.go_on()
    eventually(partial(shows, item, "The f"))
    writing.end()
    assert transcript()[1] == ("assistant", "The ferry")


@pytest.fixture
def statements() -> Iterator[Statements]:
    with heard(lambda statement: "followed_threads" in statement) as statements:
        yield statements


def test_an_answer_that_nobody_follows_costs_no_statement(statements: Statements) -> None:
    asked(is_followed=False)
    writing = begun("Slowly", ", very slowly")
    assert not writing.lease.item.is_followed
    writing.go_on()
    writing.thread.join(0.1)
    writing.end()
    assert len(statements.asked) == 1, "the one by which it was taken"
    assert not [thread for thread in threading.enumerate() if thread.name == f"show {writing.lease}"]


def test_an_answer_that_is_there_at_once_costs_none_either(
    statements: Statements, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(showing, "EVERY", HANGS)
    asked()
    statements.asked.clear()
    lease = taken()
    assert lease.item.is_followed
    answer(lease, built_in())
    eventually(lambda: not pens())
    assert len(statements.asked) == 1, "the one by which it was taken"


def test_what_a_failed_attempt_has_written_is_taken_away() -> None:
    item = asked()
    writing = begun("Half an ", error=ProviderError("It broke off.", is_temporary=True))
    writing.go_on()
    eventually(lambda: following.written(item.id) == "Half an")
    writing.end()
    eventually(lambda: following.written(item.id) == "")
    assert FollowedThread.select().count() == 1, "they still follow"


def test_an_answer_is_none_the_worse_when_it_can_not_be_shown(caplog: pytest.LogCaptureFixture) -> None:
    asked()
    writing = begun(SECRET)
    proxy.obj.execute_sql("ALTER TABLE followed_threads RENAME TO elsewhere")
    try:
        writing.go_on()
        eventually(lambda: "what is written of it is not shown: " in caplog.text)
        writing.end()
    finally:
        proxy.obj.execute_sql("ALTER TABLE elsewhere RENAME TO followed_threads")
    assert transcript() == [("user", "Hello"), ("assistant", SECRET)]
    assert SECRET not in caplog.text


def test_what_is_in_other_hands_is_not_written_to() -> None:
    asked()
    first = taken()
    assert following.write(first.item, "by the first")
    InboxItem.update(leased_until=utc_now() - timedelta(seconds=1)).execute()
    second = taken("two")
    assert not following.write(first.item, "by the first, and more")
    assert following.write(second.item, "by the second")
    following.forget(first.item)
    assert following.written(first.item.id) == "by the second"
    second.finish()
    assert not following.write(second.item, "too late")
    following.forget(second.item)
    assert following.written(second.item.id) == ""


def test_when_nobody_follows_any_more_nothing_is_left_there() -> None:
    asked()
    lease = taken()
    FollowedThread.update(until=utc_now()).execute()
    assert not following.write(lease.item, "Hello?")
    following.follow(lease.item.chatbot_id, "panel", "one")
    assert following.write(lease.item, "Hello!")


def test_following_writes_seldom_and_each_thread_is_there_once() -> None:
    chatbot = make_chatbot()
    following.follow(chatbot.id, "panel", "one")
    first = FollowedThread.get().until
    following.follow(chatbot.id, "panel", "one")
    assert FollowedThread.get().until == first
    FollowedThread.update(until=utc_now() + timedelta(seconds=following.LASTS / 3)).execute()
    following.follow(chatbot.id, "panel", "one")
    assert FollowedThread.get().until >= first
    following.follow(chatbot.id, "api", "one")
    assert FollowedThread.select().count() == 2


def test_only_those_who_follow_that_thread_count() -> None:
    chatbot, other = make_chatbot(), make_chatbot()
    following.follow(other.id, "panel", "one")
    following.follow(chatbot.id, "telegram", "one")
    following.follow(chatbot.id, "panel", "two")
    send(chatbot, "Hello", thread="one")
    assert not taken().item.is_followed


def test_a_killed_worker_leaves_what_it_wrote_until_the_next_one_begins_anew(started: Workers) -> None:
    chatbot = make_chatbot(model_provider="gated")
    following.follow(chatbot.id, "panel", "one")
    item = send(chatbot, "Hello")
    first = started.start(LEASE_SECONDS="1")
    eventually(lambda: following.written(item.id) == "Answer to")
    first.send_signal(signal.SIGKILL)
    first.wait()
    assert following.written(item.id) == "Answer to"
    started.start()
    eventually(lambda: reloaded(item).attempts == 2)
    started.open_gate()
    eventually(lambda: reloaded(item).state == DONE)
    assert transcript() == [("user", "Hello"), ("assistant", "Answer to Hello")]
    eventually(lambda: following.written(item.id) == "")


@ONE_ENGINE
def test_a_worker_that_stops_takes_away_what_it_gives_back(started: Workers) -> None:
    chatbot = make_chatbot(model_provider="endless")
    following.follow(chatbot.id, "panel", "one")
    item = send(chatbot, "Hello")
    process = started.start(TEST_DRAIN_SECONDS="0.2")
    eventually(lambda: following.written(item.id) == "Let me think")
    process.send_signal(signal.SIGTERM)
    assert process.wait(HANGS) == 0
    assert "is not shown" not in started.log
    assert reloaded(item).attempts == 0
