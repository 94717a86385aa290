"""The panel in a real browser, served by the real entrypoint, answered by a real worker process.

Screenshots go to screenshots/, which is not committed: look at them after a change of the look."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from service.url import ROOT, DatabaseUrl
from tests.support.postgresql import free_port
from tests.support.processes import Start, answer, environment, eventually

sync_api = pytest.importorskip("playwright.sync_api", reason="the browser tests need playwright")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="no chromium here; `apt-get install chromium` runs these tests"
)

EMAIL, PASSWORD = "dana@example.org", "a long enough password"
PAGES = (
    "/",
    "/chatbots/",
    "/chatbots/1",
    "/chatbots/1/edit",
    "/chatbots/new",
    "/conversations/",
    "/talk/",
    "/migrations/",
)
DESK, PHONE = {"width": 1280, "height": 800}, {"width": 360, "height": 740}
VIEWPORTS = {"desk": DESK, "phone": PHONE}


@dataclass
class Site:
    """A running panel, and the pages opened on it."""

    address: str
    browser: Any
    start_worker: Callable[[], object]
    noise: list[str] = field(default_factory=list)

    def open(self, **options: Any) -> Any:
        """A page of a new visitor; whatever it writes to its console is kept as noise."""
        page = self.browser.new_context(base_url=self.address, **options).new_page()
        page.on("console", lambda message: self.noise.append(f"{page.url}: {message.text}"))
        page.on("pageerror", lambda error: self.noise.append(f"{page.url}: {error}"))
        return page


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        # The sandbox can't start as root or in most containers; the pages are our own.
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture
def site(sqlite_url: DatabaseUrl, start: Start, browser: Any) -> Iterator[Site]:
    port = free_port()
    settings = {"SECRET_KEY": "a key of the tests", "ADMIN_EMAIL": EMAIL, "ADMIN_PASSWORD": PASSWORD, "PORT": str(port)}
    env = environment(sqlite_url, **settings)
    start("entrypoints/admin-panel.sh", env=env | {"RUN_MIGRATIONS": "true"})
    eventually(lambda: answer(port, "/readyz") == 200)
    yield Site(f"http://127.0.0.1:{port}", browser, lambda: start("entrypoints/bot.sh", env=env))
    for context in browser.contexts:
        context.close()


def sign_in(page: Any) -> None:
    page.goto("/")
    page.get_by_label("Email").fill(EMAIL)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    sync_api.expect(page.get_by_role("heading", name="Dashboard")).to_be_visible()


def composer(page: Any) -> Any:
    return page.get_by_role("textbox", name="Message")


def say(page: Any, text: str) -> None:
    composer(page).fill(text)
    page.get_by_role("button", name="Send").click()


def test_an_operator_signs_in_publishes_a_version_and_is_answered_by_the_worker(site: Site) -> None:
    page = site.open(viewport=DESK)
    sign_in(page)
    page.get_by_role("link", name="Edit Harbour desk").click()
    page.get_by_label("System prompt").fill("Answer like a lighthouse.")
    page.get_by_label("What changed, and why?").fill("The keeper asked for it.")
    page.get_by_role("button", name="Publish version 2").click()
    sync_api.expect(page.get_by_role("status")).to_have_text("Version 2 is live. New conversations begin with it.")

    page.get_by_role("link", name="Talk", exact=True).last.click()
    say(page, "Is anybody there?")
    sync_api.expect(page.get_by_text("waiting for the bot worker…")).to_be_visible()
    composer(page).fill("half a sentence")
    site.start_worker()
    sync_api.expect(page.get_by_text("Answer like a lighthouse.")).to_be_visible(timeout=20_000)
    assert composer(page).input_value() == "half a sentence", "the answer left the form alone"
    say(page, "And now?")
    sync_api.expect(page.get_by_text("You wrote: “And now?”.")).to_be_visible(timeout=20_000)
    page.screenshot(path=ROOT / "screenshots" / "talk.png")

    page.get_by_role("link", name="Conversations").click()
    page.get_by_role("link", name="Is anybody there?").click()
    sync_api.expect(page.get_by_role("list", name="Messages").get_by_role("listitem")).to_have_count(4)
    assert site.noise == []


def test_without_javascript_the_page_loads_itself_again_until_the_answer_is_there(site: Site) -> None:
    page = site.open(java_script_enabled=False)
    sign_in(page)
    site.start_worker()
    page.goto("/talk/")
    say(page, "Is anybody there?")
    sync_api.expect(page.get_by_text(re.compile("You wrote: “Is anybody there"))).to_be_visible(timeout=20_000)
    assert page.locator("noscript").count() == 0, "it stops when there is nothing to wait for"
    assert site.noise == []


def test_every_page_fits_a_phone_and_says_nothing_on_the_console(site: Site) -> None:
    looks = ((name, scheme) for name in VIEWPORTS for scheme in ("light", "dark"))
    for name, scheme in looks:
        page = site.open(viewport=VIEWPORTS[name], color_scheme=scheme)
        sign_in(page)
        for path in PAGES:
            page.goto(path)
            hidden = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            assert hidden == 0, f"{path} is {hidden} pixels too wide for a {name}"
            file = f"{path.strip('/').replace('/', '-')}-{name}-{scheme}.png"
            page.screenshot(path=ROOT / "screenshots" / file, full_page=True)
    assert site.noise == []


def test_the_menu_on_a_phone_opens_by_keyboard(site: Site) -> None:
    page = site.open(viewport=PHONE)
    sign_in(page)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.get_by_label("Menu", exact=True).first.focus()
    page.keyboard.press("Enter")
    page.get_by_role("navigation", name="Menu").get_by_role("link", name="Migrations").press("Enter")
    sync_api.expect(page.get_by_text("Database schema is up to date")).to_be_visible()
    page.get_by_label("Menu", exact=True).first.click()
    page.get_by_role("button", name="Sign out").click()
    sync_api.expect(page.get_by_text("You are signed out.")).to_be_visible()
    assert site.noise == []
