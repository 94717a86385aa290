"""Sums of what happened on each day."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import pytest

from service.chat import usage
from service.models import EDITOR, Chatbot, Conversation, Message, UsageDay
from tests.support.chat import make_chatbot, make_user

pytestmark = pytest.mark.usefixtures("service_database")

DAY = date(2026, 3, 1)
NOON = datetime(2026, 3, 1, 12)


def said(chatbot: Chatbot, role: str = "user", at: datetime = NOON, **more: Any) -> Message:
    return Message.create(chatbot=chatbot, role=role, content="…", created_at=at, **more)


def begun(chatbot: Chatbot, at: datetime = NOON) -> None:
    Conversation.create(chatbot=chatbot, title="…", created_at=at, updated_at=at + timedelta(days=2))


def test_a_day_is_counted_by_what_was_said_on_it() -> None:
    chatbot = make_chatbot()
    begun(chatbot)
    said(chatbot)
    said(chatbot, "assistant", duration_ms=100, input_tokens=10, output_tokens=3)
    said(chatbot, "twin", duration_ms=101, input_tokens=20, output_tokens=4)
    said(chatbot, "assistant", error="The endpoint answered 503.")
    said(chatbot, "system")
    for role in ("user", "assistant"):
        said(chatbot, role, metadata={"aside": "command"}, duration_ms=1)
    assert usage.count(DAY) == 1
    (day,) = usage.totals(make_user(), DAY, DAY)
    assert (day.conversations, day.messages, day.answers, day.errors) == (1, 1, 2, 1)
    assert (day.input_tokens, day.output_tokens) == (30, 7)
    assert day.durations == {usage.bound(100): 2}


def test_a_day_begins_and_ends_at_midnight() -> None:
    chatbot = make_chatbot()
    for at in (datetime(2026, 2, 28, 23, 59, 59, 999999), datetime(2026, 3, 1), datetime(2026, 3, 2)):
        said(chatbot, at=at)
        begun(chatbot, at=at)
    usage.count(DAY)
    (day,) = usage.totals(make_user(), DAY, DAY)
    assert (day.conversations, day.messages) == (1, 1)


def test_counting_again_counts_nothing_twice() -> None:
    chatbot = make_chatbot()
    said(chatbot)
    usage.count(DAY)
    said(chatbot)
    usage.count(DAY)
    assert [(row.chatbot, row.messages) for row in UsageDay.select().order_by(UsageDay.id)] == [(chatbot, 2), (None, 2)]


def test_what_is_deleted_later_stays_in_the_sums() -> None:
    said(make_chatbot())
    usage.count(DAY)
    Message.delete().execute()
    usage.count(DAY)
    assert usage.totals(make_user(), DAY, DAY)[0].messages == 1


def test_every_day_of_a_period_has_its_sums_though_nothing_happened() -> None:
    said(make_chatbot())
    usage.count(DAY)
    days = usage.totals(make_user(), DAY - timedelta(days=1), DAY + timedelta(days=1))
    assert [(day.day.day, day.messages) for day in days] == [(28, 0), (1, 1), (2, 0)]


def test_the_busiest_chatbot_comes_first() -> None:
    quiet, busy, silent = make_chatbot(), make_chatbot(), make_chatbot()
    for chatbot in (quiet, quiet, busy, busy, busy, silent):
        said(chatbot)
    usage.count(DAY)
    first, second = usage.busiest(make_user(), DAY, DAY, limit=2)
    assert (first.chatbot_id, first.title, first.sums.messages) == (busy.id, busy.title, 3)
    assert (second.chatbot_id, second.sums.messages) == (quiet.id, 2)


def test_nobody_sees_sums_of_a_chatbot_that_they_do_not_see() -> None:
    ada = make_user("Ada")
    ada.role = EDITOR
    for chatbot in (make_chatbot(user=ada), make_chatbot()):
        said(chatbot)
    usage.count(DAY)
    assert usage.totals(ada, DAY, DAY)[0].messages == 1
    assert len(usage.busiest(ada, DAY, DAY, limit=9)) == 1


def test_the_days_of_all_chatbots_stand_in_one_row_each() -> None:
    for _ in range(3):
        chatbot = make_chatbot()
        said(chatbot)
        said(chatbot, "assistant", duration_ms=100)
    usage.count(DAY)
    whole = UsageDay.get(UsageDay.chatbot.is_null())
    assert (whole.messages, whole.answers, whole.durations) == (3, 3, {str(usage.bound(100)): 3})


def test_the_first_message_says_where_to_begin() -> None:
    assert usage.first_message_at() is None
    said(make_chatbot())
    assert usage.first_message_at() == NOON
