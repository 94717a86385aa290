"""An export in a real browser: how far it is, stopping it, its breaking off, and the file in the end."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from service.database import bind, connection, proxy, writing
from service.models import Chatbot, Conversation, Message
from service.url import DatabaseUrl
from tests.support.site import DESK, NEEDS_CHROMIUM, PHONE, SCREENSHOTS, Site, sign_in, too_wide

sync_api = pytest.importorskip("playwright.sync_api", reason="the browser tests need playwright")
axe_api = pytest.importorskip("axe_playwright_python.sync_playwright", reason="the tests with axe need its rules")
pytestmark = NEEDS_CHROMIUM

TALKS = 300
UNLIMITED, SLOWLY = -1, 250_000  # bytes a second
EXPORT = "**/conversations/export?*"
HALF_WAY = re.compile(r"^[1-9]\d* of 300 conversations$")


@pytest.fixture
def page(site: Site, furnished_url: DatabaseUrl) -> Any:
    """The list of so many conversations that a slow line takes a minute for them."""
    bind(furnished_url)
    with connection(), writing(proxy.obj):
        chatbot = Chatbot.get()
        for number in range(TALKS):
            talk = Conversation.create(chatbot=chatbot, title=f"Talk {number}", thread=str(number))
            Message.create(chatbot=chatbot, conversation=talk, role="user", content="Ahoy, “Käpt'n”!\n" * 4_000)
    opened = site.open(viewport=DESK, accept_downloads=True)
    sign_in(opened)
    sync_api.expect(opened.get_by_role("heading", name="Dashboard")).to_be_visible()
    opened.goto("/conversations/")
    return opened


def export(page: Any, form: str = "JSON") -> None:
    page.locator("summary", has_text="Export").click()
    page.get_by_role("link", name=form, exact=True).click()


def box(page: Any) -> Any:
    return page.get_by_role("region", name="Export")


@pytest.fixture
def line(page: Any) -> Line:
    return Line(page.context.new_cdp_session(page))


class Line:
    """Between the browser and the panel."""

    def __init__(self, session: Any) -> None:
        self._session = session
        session.send("Network.enable")

    def limit(self, bytes_a_second: int, is_cut: bool = False) -> None:
        speed = {"latency": 0, "downloadThroughput": bytes_a_second, "uploadThroughput": UNLIMITED}
        self._session.send("Network.emulateNetworkConditions", {"offline": is_cut, **speed})


def look(page: Any, name: str) -> None:
    """In every light and width; axe has nothing to say about any of it."""
    for scheme in ("light", "dark"):
        for viewport in (PHONE, DESK):
            page.emulate_media(color_scheme=scheme)
            page.set_viewport_size(viewport)
            assert too_wide(page) == 0
            page.screenshot(path=SCREENSHOTS / f"export-{name}-{scheme}-{viewport['width']}.png")
        found = axe_api.Axe().run(page)
        assert found.violations_count == 0, found.generate_report()


def told(page: Any, words: str) -> None:
    """What a screen reader hears, and everybody sees."""
    status = box(page).get_by_role("status")
    sync_api.expect(status).to_have_text(re.compile(words))
    assert status.text_content() == box(page).locator("[data-said]").text_content()


def begin_slowly(page: Any, line: Line) -> None:
    line.limit(SLOWLY)
    export(page)
    sync_api.expect(box(page).get_by_text(HALF_WAY)).to_be_visible()


def closes_as_menus_do(page: Any) -> None:
    summary, offered = page.locator("summary", has_text="Export"), page.get_by_role("link", name="Markdown")
    summary.click()
    page.keyboard.press("Tab")
    page.keyboard.press("Escape")
    sync_api.expect(offered).to_be_hidden()
    sync_api.expect(summary).to_be_focused()
    summary.click()
    page.get_by_role("heading", name="Conversations").click()
    sync_api.expect(offered).to_be_hidden()


def test_an_export_shows_how_far_it_is_can_be_stopped_and_gives_the_file(
    site: Site, page: Any, line: Line, tmp_path: Path
) -> None:
    closes_as_menus_do(page)
    begin_slowly(page, line)
    bar = box(page).get_by_role("progressbar", name="Done")
    assert 0 < float(bar.get_attribute("value")) < float(bar.get_attribute("max")) == TALKS
    look(page, "middle")
    box(page).get_by_role("button", name="Stop").click()
    told(page, r"^Stopped at \d+ of 300 conversations\. Nothing was kept\.$")
    sync_api.expect(bar).to_be_hidden()
    box(page).get_by_role("button", name="Close").click()
    sync_api.expect(box(page)).to_have_count(0)

    line.limit(UNLIMITED)
    with page.expect_download() as found:
        export(page)
    name = found.value.suggested_filename
    told(page, rf"^{re.escape(name)} is complete: 300 conversations, [\d.]+ MB\.$")
    look(page, "whole")
    found.value.save_as(tmp_path / "taken")
    plain = page.request.get("/conversations/export?form=json")
    assert (tmp_path / "taken").read_bytes() == plain.body()
    assert f'"{name}"' in plain.headers["content-disposition"]
    with page.expect_download() as again:
        box(page).get_by_role("link", name="Save again").click()
    assert again.value.suggested_filename == name
    is_the_same_without_javascript(site, page)
    assert site.surprises() == []


def is_the_same_without_javascript(site: Site, page: Any) -> None:
    """Of one conversation, which is counted by its messages."""
    page.goto("/conversations/1")
    with page.expect_download() as found:
        export(page, "Markdown")
    told(page, r"^conversation-1\.md is complete: 1 message, ")
    plain = site.open(java_script_enabled=False, accept_downloads=True)
    plain.context.add_cookies(page.context.cookies())
    plain.goto("/conversations/1")
    with plain.expect_download() as also:
        export(plain, "Markdown")
    assert also.value.suggested_filename == found.value.suggested_filename == "conversation-1.md"
    assert also.value.path().read_bytes() == found.value.path().read_bytes()


def test_an_export_that_breaks_off_or_is_refused_says_so_and_keeps_nothing(site: Site, page: Any, line: Line) -> None:
    taken: list[Any] = []
    page.on("download", lambda download: taken.append(download))
    begin_slowly(page, line)
    # Most of the file still waits in the panel: what lies between holds less.
    rename("messages", "elsewhere")
    line.limit(UNLIMITED)
    told(
        page, r"^The export broke off at \d+ of 300 conversations\. Nothing incomplete was kept; try again in a moment"
    )
    look(page, "broken")
    rename("elsewhere", "messages")
    ends_politely_and_too_early(page)
    box(page).get_by_role("button", name="Try again").click()
    told(page, r"^The export broke off at 1 of 3 conversations\.")
    is_refused(page)
    box(page).get_by_role("button", name="Try again").click()
    told(page, r"^Too many downloads are under way\. Try again in a moment\.$")
    assert taken == []
    with page.expect_download() as found:
        box(page).get_by_role("button", name="Try again").click()
    assert found.value.suggested_filename.endswith(".json")
    sync_api.expect(box(page)).to_have_count(1)
    page.context.clear_cookies()
    export(page)
    sync_api.expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    assert len(site.surprises()) == 2, "the browser's own notes on the connection that broke and on the refusal"


def rename(table: str, name: str) -> None:
    with connection():
        proxy.obj.execute_sql(f"ALTER TABLE {table} RENAME TO {name}")


def ends_politely_and_too_early(page: Any) -> None:
    """As a proxy would end it that has lost the panel."""
    head = {"name": "conversations.json", "type": "application/json", "noun": "conversation", "of": 3}
    answer = "".join(f"{json.dumps(line)}\n" for line in (head, {"done": 1, "text": "[\n"}))
    page.route(EXPORT, lambda route: route.fulfill(content_type="application/x-ndjson", body=answer), times=1)


def is_refused(page: Any) -> None:
    words = "<h1>Too many downloads are under way.</h1>\n<p>Try again in a moment.</p>"
    page.route(EXPORT, lambda route: route.fulfill(status=503, content_type="text/html", body=words), times=1)
