"""The daily work in a real browser: a transcript that goes on by itself, finding what was said, deleting it."""

from __future__ import annotations

import re
import threading
from datetime import timedelta
from typing import Any

import pytest

from service.chat import search, versions
from service.database import bind, connection
from service.models import Chatbot, Conversation, Message, ToolLog, User
from service.models.base import utc_now
from service.url import DatabaseUrl
from tests.support.endpoint import Reply, Until, delta, endpoint, event
from tests.support.site import DESK, NEEDS_CHROMIUM, PHONE, SCREENSHOTS, Site, sign_in, too_wide

sync_api = pytest.importorskip("playwright.sync_api", reason="the browser tests need playwright")
axe_api = pytest.importorskip("axe_playwright_python.sync_playwright", reason="the tests with axe need its rules")
pytestmark = NEEDS_CHROMIUM


@pytest.fixture
def talk(site: Site, _copied_sqlite: DatabaseUrl) -> Conversation:
    """One of the panel's user with the first chatbot, long enough to be scrolled."""
    bind(_copied_sqlite)
    with connection():
        user = User.get()
        begun = Conversation.create(
            chatbot=Chatbot.get(), title="Is berth 12 free?", user=user, thread=f"user-{user.id}-a"
        )
        for number in range(30):
            said = Message.create(
                chatbot=begun.chatbot, conversation=begun, role="user", user=user, content=f"Question {number}."
            )
            search.index(said)
    return begun


def opened(site: Site, path: str, **options: Any) -> Any:
    page = site.open(**options)
    sign_in(page)
    sync_api.expect(page.get_by_role("heading", name="Dashboard")).to_be_visible()
    page.goto(path)
    return page


def composer(page: Any) -> Any:
    """Not before the page has put the cursor there by itself."""
    box = page.get_by_role("textbox", name="Message")
    sync_api.expect(box).to_be_focused()
    return box


def say(page: Any, text: str) -> None:
    composer(page).fill(text)
    page.get_by_role("button", name="Send").click()


def scroll(page: Any, to: str) -> None:
    page.evaluate(f"window.scrollTo({{ top: {to}, behavior: 'instant' }})")


def shows(page: Any, text: str) -> None:
    sync_api.expect(page.get_by_text(text, exact=False).last).to_be_visible()


def test_who_watches_a_transcript_sees_it_go_on_where_they_are(site: Site, talk: Conversation) -> None:
    site.start_worker()
    watching = opened(site, f"/conversations/{talk.id}", viewport=DESK)
    talking = opened(site, f"/talk/{talk.chatbot.id}/{talk.thread}", viewport=DESK)
    scroll(watching, "document.documentElement.scrollHeight")
    watching.evaluate("window.isTheSame = true")
    say(talking, "Is anybody there?")
    shows(talking, "You wrote: “Is anybody there?”.")
    shows(watching, "You wrote: “Is anybody there?”.")
    sync_api.expect(watching.get_by_role("list", name="Messages").get_by_role("listitem")).to_have_count(32)
    assert watching.evaluate("window.isTheSame"), "the page was not loaded again"
    sync_api.expect(watching.get_by_text("You wrote: “Is anybody there?”.")).to_be_in_viewport()

    scroll(watching, "0")
    say(talking, "And now?")
    newer = watching.get_by_role("button", name="New messages")
    sync_api.expect(newer).to_be_visible()
    assert watching.evaluate("window.scrollY") == 0, "who reads further up is left there"
    shows(talking, "You wrote: “And now?”.")
    newer.click()
    sync_api.expect(watching.get_by_text("You wrote: “And now?”.")).to_be_in_viewport()
    sync_api.expect(newer).to_be_hidden()
    assert site.noise == []


@pytest.mark.parametrize("has_streams", [True, False])
def test_an_answer_is_seen_growing_where_one_is_and_typing_goes_on(
    site: Site, talk: Conversation, has_streams: bool
) -> None:
    go_on, end = threading.Event(), threading.Event()
    said = [event(delta(content=text)) for text in ("The <b>ferry</b>", "\nleaves", " at noon.")]
    slow = Reply((said[0], Until(go_on), said[1], Until(end), said[2], event(delta("stop")), event("[DONE]")))
    with endpoint(slow) as server:
        settings = {"model_provider": "openai", "model_name": "small", "config": {"base_url": server.base}}
        with connection():
            number = versions.current(talk.chatbot).number
            versions.publish(talk.chatbot, settings, expected=number, author=None)
        site.start_worker()
        page = opened(site, "/conversations/", viewport=PHONE)
        if not has_streams:
            page.route(re.compile(r"/live\?"), lambda route: route.fulfill(status=204))
        page.goto(f"/talk/{talk.chatbot.id}/{talk.thread}")
        say(page, "When does it leave?")
        growing = page.locator("[data-growing] .said-text")
        sync_api.expect(growing).to_have_text("The <b>ferry</b>")
        composer(page).fill("half a sentence")
        go_on.set()
        sync_api.expect(growing).to_have_text("The <b>ferry</b>\nleaves")
        sync_api.expect(growing).to_be_in_viewport()
        page.screenshot(path=SCREENSHOTS / f"growing-{has_streams}.png")
        assert axe_api.Axe().run(page).response["violations"] == []
        end.set()
        sync_api.expect(growing).to_have_count(0)
    last = page.get_by_role("list", name="Messages").get_by_role("listitem").last
    sync_api.expect(last).to_contain_text("The <b>ferry</b>\nleaves at noon.")
    sync_api.expect(last).to_be_in_viewport()
    assert page.get_by_role("textbox", name="Message").input_value() == "half a sentence", "not loaded again"
    assert site.noise == []


def test_a_transcript_that_stays_open_says_how_long_ago_it_is_now(site: Site, talk: Conversation) -> None:
    page = opened(site, "/", viewport=DESK)
    page.clock.install()
    page.goto(f"/conversations/{talk.id}")
    said = page.locator(".said time").first
    sync_api.expect(said).to_have_text("just now")
    page.clock.fast_forward("03:00:30")
    sync_api.expect(said).to_have_text("3 hours ago")
    assert site.noise == []


def test_a_message_is_sent_without_leaving_the_keyboard(site: Site, talk: Conversation) -> None:
    site.start_worker()
    page = opened(site, "/talk/", viewport=DESK)
    box = composer(page)
    box.fill("First line")
    box.press("Enter")
    box.type("second line")
    assert box.input_value() == "First line\nsecond line", "Enter alone is a new line"
    box.press("Control+Enter")
    shows(page, "You wrote: “First line")
    composer(page).fill("And again")
    composer(page).press("Control+Enter")
    shows(page, "You wrote: “And again”.")
    assert site.noise == []


def test_where_there_is_no_stream_the_page_asks(site: Site, talk: Conversation) -> None:
    page = site.open(viewport=PHONE)
    page.route(re.compile(r"/live\?"), lambda route: route.fulfill(status=204))
    sign_in(page)
    sync_api.expect(page.get_by_role("heading", name="Dashboard")).to_be_visible()
    page.goto(f"/talk/{talk.chatbot.id}/{talk.thread}")
    say(page, "Is anybody there?")
    shows(page, "waiting for the bot worker…")
    composer(page).fill("half a sentence")
    site.start_worker()
    shows(page, "You wrote: “Is anybody there?”.")
    assert page.get_by_role("textbox", name="Message").input_value() == "half a sentence", "not loaded again"
    sync_api.expect(page.get_by_text("waiting for the bot worker…")).to_have_count(0)
    assert site.noise == []


def test_a_transcript_stops_with_the_session(site: Site, talk: Conversation) -> None:
    page = opened(site, "/conversations/", viewport=DESK)
    with page.expect_response(lambda response: "/live?" in response.url):
        page.goto(f"/conversations/{talk.id}")
    with connection():
        User.update(session_epoch=User.session_epoch + 1).execute()
    sync_api.expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert site.noise == []


def test_on_a_phone_what_was_said_is_found_read_in_its_place_and_deleted(site: Site, talk: Conversation) -> None:
    page = opened(site, "/conversations/", viewport=PHONE)
    page.get_by_role("searchbox", name="Words").fill("question 7")
    page.get_by_role("button", name="Search").click()
    sync_api.expect(page.get_by_role("link", name="Remove: Words: question 7")).to_be_visible()
    page.get_by_role("link", name="Question 7.").click()
    sync_api.expect(page.locator("mark", has_text="7").first).to_be_in_viewport()
    page.get_by_role("link", name="Delete…").click()
    shows(page, "30 messages")
    page.get_by_role("button", name="Delete it").click()
    shows(page, "The conversation is deleted, with 30 messages and 0 tool calls.")
    sync_api.expect(page.get_by_role("heading", name="No conversation yet")).to_be_visible()
    assert site.noise == []


# A small telephone, a page at 200 %, and where the title and the buttons just fit beside each other.
@pytest.mark.parametrize("width", [320, 640, 800])
def test_the_menu_of_an_export_opens_on_the_screen(site: Site, talk: Conversation, width: int) -> None:
    with connection():
        Conversation.update(title="Is berth 12 free on the day of the regatta, or not?").execute()
    page = opened(site, "/conversations/", viewport={"width": width, "height": 740})
    for path in ("/conversations/", f"/conversations/{talk.id}"):
        page.goto(path)
        page.locator("summary", has_text="Export").click()
        for name in ("JSON lines", "Markdown"):
            sync_api.expect(page.get_by_role("link", name=name)).to_be_in_viewport(ratio=1)
        assert too_wide(page) == 0, path


def test_a_table_of_long_names_fits_beside_the_way_around(site: Site, talk: Conversation) -> None:
    before = utc_now() - timedelta(minutes=59)
    with connection():
        ToolLog.create(
            session=talk, server="bookings", tool="find_berth_by_length", duration_ms=61_000, created_at=before
        )
    page = opened(site, "/tool-calls/", viewport={"width": 1024, "height": 740})
    sync_api.expect(page.get_by_role("link", name="find_berth_by_length")).to_be_visible()
    assert too_wide(page) == 0


def test_what_a_transcript_begins_with_fits_on_paper(site: Site, talk: Conversation) -> None:
    page = opened(site, f"/conversations/{talk.id}", viewport={"width": 718, "height": 1000})
    page.emulate_media(media="print")
    began = page.get_by_text("Began").locator("xpath=..")
    assert began.evaluate("box => box.scrollWidth - box.clientWidth") == 0
    assert too_wide(page) == 0
