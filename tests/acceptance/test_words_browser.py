"""What people wrote, however long and whichever way it runs: on a screen of any width, and on paper."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from service import audit
from service.admin.access import invitations
from service.api import tokens
from service.chat import versions
from service.database import bind, connection
from service.models import VIEWER, Chatbot, Conversation, Creator, InboxItem, Message, Persona, ToolLog, User
from service.models.base import utc_now
from service.url import DatabaseUrl
from tests.support.site import DESK, NEEDS_CHROMIUM, PHONE, Site, sign_in, too_wide

sync_api = pytest.importorskip("playwright.sync_api", reason="the browser tests need playwright")
pytestmark = NEEDS_CHROMIUM

ENDLESS = "Donaudampfschifffahrtsgesellschaft" * 4
# Its letters run to the left, and so the question mark belongs at its left end.
ARABIC = "هل الرصيف متاح اليوم؟"  # the question mark of that language
PLACES = """(last) => {
  const text = document.querySelector(".said-text").firstChild, place = document.createRange();
  return [0, last].map((at) => {
    place.setStart(text, at);
    place.setEnd(text, at + 1);
    return place.getBoundingClientRect().left;
  });
}"""


@pytest.fixture
def page(site: Site, furnished_url: DatabaseUrl) -> Any:
    """The transcript of a talk in which nothing is as short as one would like it."""
    bind(furnished_url)
    with connection():
        talk = Conversation.create(chatbot=Chatbot.get(), title=ENDLESS, thread="one")
        layla = User.create(email="layla@example.org", name=ARABIC, password_hash="-")
        asked = Message.create(
            chatbot=talk.chatbot,
            conversation=talk,
            role="user",
            user=layla,
            content=f"{ARABIC}!",
            created_at=utc_now() - timedelta(hours=10, minutes=1),
        )
        Message.create(chatbot=talk.chatbot, conversation=talk, role="assistant", content=ENDLESS, error=ENDLESS)
        ToolLog.create(session=talk, message=asked, server="bookings", tool=ENDLESS, arguments={"text": ENDLESS})
    opened = site.open(viewport=PHONE, color_scheme="dark")
    sign_in(opened)
    sync_api.expect(opened.get_by_role("heading", name="Dashboard")).to_be_visible()
    opened.goto(f"/conversations/{talk.id}")
    return opened


# A tablet, upright: where the side would leave a table no room.
TABLET = {"width": 768, "height": 1024}
LISTS = (
    *("/", "/chatbots/", "/chatbots/1", "/chatbots/1/compare", "/conversations/", "/personas/", "/tool-calls/"),
    *("/queue/", "/people/", "/people/2", "/people/teams", "/audit-log/", "/tokens/", "/migrations/", "/studio/"),
    *("/studio/table/messages", "/studio/row/personas/1"),
)


@pytest.fixture
def long_winded(site: Site, furnished_url: DatabaseUrl) -> Any:
    """A page of the owner, where every name is one endless word."""
    bind(furnished_url)
    with connection():
        owner, team, chatbot = User.get(), Creator.create(name=ENDLESS[:120]), Chatbot.get()
        mate = User.create(email=f"{ENDLESS[:60]}@example.org", name=ENDLESS[:120], password_hash="-")
        Chatbot.update(title=ENDLESS[:120], system_prompt=ENDLESS, creator=team).execute()
        versions.publish(chatbot, {"model_name": ENDLESS[:120]}, expected=1, author=mate, notes=ENDLESS)
        talk = Conversation.create(chatbot=chatbot, title=ENDLESS, thread="one")
        Message.create(chatbot=chatbot, conversation=talk, role="user", content=ENDLESS)
        ToolLog.create(session=talk, server=ENDLESS[:120], tool=ENDLESS[:120], error=ENDLESS)
        InboxItem.create(chatbot=chatbot, channel="telegram", external_id="1", thread="1", content=ENDLESS)
        Persona.create(user=owner, name=ENDLESS[:120], description=ENDLESS[:300], instructions=ENDLESS)
        audit.record(mate, "chatbot.publish", ENDLESS, address="2001:0db8:85a3:0000:0000:8a2e:0370:7334")
        tokens.issue(mate, ENDLESS[:120], ["read"])
        invitations.issue(f"{ENDLESS[:50]}@example.org", VIEWER, team, mate)
    opened = site.open()
    sign_in(opened)
    sync_api.expect(opened.get_by_role("heading", name="Dashboard")).to_be_visible()
    return opened


def test_endless_words_push_nothing_out_of_sight_on_any_page_at_any_width(long_winded: Any) -> None:
    for place in LISTS:
        long_winded.goto(place)
        for screen in (DESK, TABLET, PHONE):
            long_winded.set_viewport_size(screen)
            assert too_wide(long_winded) == 0, f"{place} at a width of {screen['width']}"


def test_an_endless_word_stays_within_a_phone_and_arabic_ends_at_the_left(page: Any) -> None:
    first, last = page.evaluate(PLACES, len(ARABIC))
    assert last < first
    said_at = page.locator(".said-user time")
    assert said_at.evaluate("(time) => time.getClientRects().length") == 1, "the name leaves the time whole"
    assert too_wide(page) == 0
    page.get_by_text("bookings").click()
    assert too_wide(page) == 0
    is_fit_for_paper(page)


def is_fit_for_paper(page: Any) -> None:
    """What the page says, in dark ink, and nothing to press; in the same test, since a panel takes long to start."""
    page.emulate_media(media="print", color_scheme="dark")
    for name in ("Export", "Delete…", "Menu"):
        sync_api.expect(page.get_by_text(name, exact=True).or_(page.get_by_label(name)).first).to_be_hidden()
    sync_api.expect(page.get_by_text(f"{ARABIC}!")).to_be_visible()
    when = page.locator(".said time").first
    assert when.evaluate("(time) => getComputedStyle(time, '::after').content").endswith(' UTC"')
    assert when.evaluate("(time) => getComputedStyle(time).fontSize") == "0px"
    red, green, blue = page.evaluate("getComputedStyle(document.querySelector('h1')).color.match(/\\d+/g).map(Number)")
    assert max(red, green, blue) < 80
