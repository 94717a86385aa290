"""What people wrote, however long and whichever way it runs: on a phone, and on paper."""

from __future__ import annotations

from typing import Any

import pytest

from service.database import bind, connection
from service.models import Chatbot, Conversation, Message, ToolLog
from service.url import DatabaseUrl
from tests.support.site import NEEDS_CHROMIUM, PHONE, Site, sign_in, too_wide

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
        asked = Message.create(chatbot=talk.chatbot, conversation=talk, role="user", content=f"{ARABIC}!")
        Message.create(chatbot=talk.chatbot, conversation=talk, role="assistant", content=ENDLESS, error=ENDLESS)
        ToolLog.create(session=talk, message=asked, server="bookings", tool=ENDLESS, arguments={"text": ENDLESS})
    opened = site.open(viewport=PHONE, color_scheme="dark")
    sign_in(opened)
    sync_api.expect(opened.get_by_role("heading", name="Dashboard")).to_be_visible()
    opened.goto(f"/conversations/{talk.id}")
    return opened


def test_an_endless_word_stays_within_a_phone_and_arabic_ends_at_the_left(page: Any) -> None:
    first, last = page.evaluate(PLACES, len(ARABIC))
    assert last < first
    assert too_wide(page) == 0
    page.get_by_text("bookings").click()
    assert too_wide(page) == 0
    is_fit_for_paper(page)


def is_fit_for_paper(page: Any) -> None:
    """What the page says, in dark ink, and nothing to press; in the same test, since a panel takes long to start."""
    page.emulate_media(media="print", color_scheme="dark")
    for name in ("Export", "Delete…", "Menu"):
        sync_api.expect(page.get_by_text(name, exact=True).or_(page.get_by_label(name)).first).to_be_hidden()
    sync_api.expect(page.get_by_text(ARABIC)).to_be_visible()
    red, green, blue = page.evaluate("getComputedStyle(document.querySelector('h1')).color.match(/\\d+/g).map(Number)")
    assert max(red, green, blue) < 80
