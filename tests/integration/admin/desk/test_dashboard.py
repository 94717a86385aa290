from __future__ import annotations

import re
from datetime import date, timedelta
from html import unescape

import pytest
from flask import Flask

from service.chat import usage
from service.database import proxy
from service.models import (
    DEAD,
    EDITOR,
    Chatbot,
    Conversation,
    CreatorUser,
    Duty,
    InboxItem,
    Message,
    OutboxItem,
    UsageDay,
)
from service.models.base import utc_now
from service.url import ROOT, DatabaseUrl
from tests.support.chat import make_chatbot, send
from tests.support.panel import ONE_ENGINE, Browser, add_user, panel, signed_in


def today() -> date:
    """Asked each time: a run of all tests may last over midnight."""
    return utc_now().date()


@pytest.fixture
def app(service_database: DatabaseUrl) -> Flask:
    return panel(service_database, ROOT / "migrations")


def counted(chatbot: Chatbot, days_ago: int = 0, **sums: object) -> None:
    day = today() - timedelta(days=days_ago)
    UsageDay.create(day=day, chatbot=chatbot, **sums)
    usage.add_up(day)


def figures(page: str) -> dict[str, tuple[str, str]]:
    """By name: the number of the period, and of the one before."""
    found = re.findall(
        r"<dt>([^<]+)</dt><dd[^>]*>(?:<a [^>]+>)?([^<]*)(?:</a>)?</dd><dd class=\"quiet\">before: ([^<]*)</dd>", page
    )
    return {name: (value, before) for name, value, before in found}


def table(page: str, title: str) -> list[list[str]]:
    """What stands under "As a table" below the picture of that title."""
    section = page.partition(f"<h2>{title}</h2>")[2].partition("</figure>")[0]
    rows = re.findall(r'<tr><th scope="row">([^<]+)</th>(.*?)</tr>', section)
    return [[day, *re.findall(r">([^<]+)</td>", cells)] for day, cells in rows]


@ONE_ENGINE
def test_a_fresh_installation_is_led_to_its_first_chatbot(browser: Browser) -> None:
    page = browser.read("/")
    assert "No chatbot yet" in page
    assert "up to date" in page
    assert '<svg class="plot' not in page


@ONE_ENGINE
def test_an_unused_chatbot_leads_to_its_first_word(browser: Browser) -> None:
    make_chatbot()
    assert "Nothing was counted in these 30 days" in browser.read("/"), "nobody knows what was said"
    counting(done_at=utc_now())
    page = browser.read("/?days=7")
    assert "Nothing was said in these 7 days" in page
    assert "Say the first word</a>" in page
    assert 'class="charts"' not in page, "five empty pictures say no more than one sentence"
    assert figures(page)["Median answer"] == ("–", "–")


def test_the_figures_are_of_the_period_and_beside_them_stand_those_before(browser: Browser) -> None:
    chatbot = make_chatbot()
    counted(
        chatbot,
        conversations=2,
        messages=1500,
        answers=99,
        errors=1,
        input_tokens=900_000,
        output_tokens=400_000,
        durations={"100": 98, "5000": 1},
    )
    counted(chatbot, days_ago=29, messages=5)
    counted(chatbot, days_ago=30, messages=7, answers=1, durations={"200": 1})
    counted(chatbot, days_ago=60, messages=100_000)
    assert figures(browser.read("/")) == {
        "Conversations": ("2", "0"),
        "Messages": ("1,505", "7"),
        "Median answer": ("100 ms", "200 ms"),
        "95 of 100 within": ("100 ms", "200 ms"),
        "Failed, 1.0 %": ("1", "0"),
        "Tokens": ("1.3 M", "0"),
    }


@ONE_ENGINE
def test_failed_answers_lead_to_their_conversations(browser: Browser) -> None:
    counted(make_chatbot(), errors=2)
    since = today() - timedelta(days=6)
    assert f'<a href="/conversations/?failed=1&since={since}">2</a>' in unescape(browser.read("/?days=7"))


@pytest.mark.parametrize(("words", "length"), [("7", 7), ("30", 30), ("90", 90), ("8", 30), ("many", 30)])
@ONE_ENGINE
def test_the_period_stands_in_the_address(browser: Browser, words: str, length: int) -> None:
    counted(make_chatbot(), messages=1)
    page = browser.read(f"/?days={words}")
    assert f'aria-current="true">{length} days</a>' in page
    assert len(table(page, "Messages")) == length


def test_every_picture_has_a_title_and_its_numbers_in_a_table(browser: Browser) -> None:
    chatbot = make_chatbot()
    counted(chatbot, messages=1234, durations={"1500": 3}, answers=3)
    counted(chatbot, days_ago=2, messages=3)
    page = browser.read("/?days=7")
    assert page.count('<svg class="plot"') == page.count('role="img"') == 2, "the others have nothing to show"
    assert "<title>Messages by day; the numbers are in the table below</title>" in page
    rows = table(page, "Messages")
    assert rows[0] == [str(today()), "1,234"]
    assert rows[1:3] == [[str(today() - timedelta(days=1)), "0"], [str(today() - timedelta(days=2)), "3"]]
    assert table(page, "Answer time")[0] == [str(today()), "1.5 s", "1.5 s"]
    assert table(page, "Answer time")[1] == [str(today() - timedelta(days=1)), "–", "–"]


def test_what_the_worker_counted_is_what_the_page_says(browser: Browser) -> None:
    chatbot = make_chatbot()
    conversation = Conversation.create(chatbot=chatbot, title="talk")
    for role, fields in (("user", {}), ("assistant", {"duration_ms": 100, "input_tokens": 7, "output_tokens": 5})):
        Message.create(chatbot=chatbot, conversation=conversation, role=role, content="…", **fields)
    usage.count(today())
    shown = figures(browser.read("/"))
    assert (shown["Messages"][0], shown["Conversations"][0], shown["Tokens"][0]) == ("1", "1", "12")


def counting(**fields: object) -> None:
    Duty.delete().execute()
    Duty.create(name=usage.DUTY, **fields)


def test_numbers_that_nobody_counts_any_more_are_said_to_be_old(browser: Browser) -> None:
    make_chatbot()
    assert "No bot worker has counted these numbers yet." in browser.read("/")
    counting(done_at=utc_now() - timedelta(minutes=1))
    assert "docker compose logs bot" not in browser.read("/")
    counting(done_at=utc_now() - timedelta(hours=3))
    page = browser.read("/")
    assert re.search(
        r"The bot worker has counted nothing for <time[^>]*>3 hours</time>, so these numbers are old", page
    )
    assert "docker compose logs bot" in page
    counting(done_at=utc_now() - timedelta(hours=3), holder="worker 1", held_until=utc_now() + timedelta(seconds=20))
    assert "so these numbers are old" not in browser.read("/"), "it is at it"


@ONE_ENGINE
def test_messages_that_nobody_takes_are_told_at_once(browser: Browser) -> None:
    send(make_chatbot(), "Hello?")
    InboxItem.update(available_at=utc_now() - timedelta(minutes=10)).execute()
    assert "nobody takes them" in browser.read("/")


@ONE_ENGINE
def test_answers_that_nobody_delivers_are_told_where_there_are_any(browser: Browser) -> None:
    message = Message.create(chatbot=make_chatbot(), role="assistant", content="It is.")
    assert "to be delivered" not in browser.read("/"), "most teams deliver to nobody"
    talk = Conversation.create(chatbot=message.chatbot, title="talk", channel="telegram")
    long_ago = utc_now() - timedelta(hours=2)
    OutboxItem.create(conversation=talk, message=message, channel="telegram", available_at=long_ago)
    page = browser.read("/")
    assert '<a href="/queue/">1 answer to be delivered</a>' in page
    assert "nobody takes them" in page.partition("to be delivered")[2]


@ONE_ENGINE
def test_the_busiest_chatbots_come_first(browser: Browser) -> None:
    counted(make_chatbot(title="Quiet"), messages=3)
    counted(make_chatbot(title="Loud & clear"), messages=300)
    page = unescape(browser.read("/")).partition("Busiest")[2]
    assert page.index("Loud & clear") < page.index("Quiet")
    assert 'width="1.0"' in page, "a hundredth of the loudest"


def test_what_is_stuck_is_on_the_page_and_leads_to_the_queue(browser: Browser) -> None:
    chatbot = make_chatbot()
    assert "flows" in browser.read("/")
    send(chatbot, "Hello?")
    InboxItem.update(created_at=utc_now() - timedelta(minutes=10)).execute()
    dead = send(chatbot, "Lost?", thread="two")
    InboxItem.update(state=DEAD).where(InboxItem.id == dead.id).execute()
    page = browser.read("/")
    assert '<a href="/queue/">1 message to be answered</a>' in page
    assert "the oldest for 10 minutes" in page
    assert '<a href="/queue/">1 dead letter</a>' in page


@ONE_ENGINE
def test_the_state_of_the_schema_and_the_last_deploy_are_on_the_page(browser: Browser) -> None:
    proxy.obj.execute_sql("UPDATE migratehistory SET release = 'v7'")
    assert "by release v7" in browser.read("/")
    proxy.obj.execute_sql("DELETE FROM migratehistory WHERE id = (SELECT max(id) FROM migratehistory)")
    assert "1 pending" in browser.read("/")
    proxy.obj.execute_sql("UPDATE migratehistory SET checksum = 'other' WHERE id = 2")
    assert "1 problem" in browser.read("/")


@ONE_ENGINE
def test_migrations_that_can_not_be_read_do_not_take_the_page_down(service_database: DatabaseUrl) -> None:
    assert "can&#39;t be read" in signed_in(panel(service_database, "/nowhere")).read("/")


def test_only_the_chatbots_that_one_may_see_are_counted(app: Flask) -> None:
    mine, theirs = make_chatbot(title="Mine"), make_chatbot(title="Theirs")
    editor = add_user("eve@example.org", role=EDITOR)
    CreatorUser.create(creator=mine.creator, user=editor)
    counted(mine, messages=5)
    counted(theirs, messages=500)
    dead = send(theirs, "Lost?")
    InboxItem.update(state=DEAD).where(InboxItem.id == dead.id).execute()
    page = signed_in(app, editor.email).read("/")
    assert figures(page)["Messages"] == ("5", "0")
    assert "Theirs" not in page
    assert "0 dead letters" in page
    assert figures(signed_in(app).read("/"))["Messages"] == ("505", "0")
