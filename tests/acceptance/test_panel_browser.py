"""The panel in a real browser, served by the real entrypoint, answered by a real worker process."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support import site as browsing
from tests.support.processes import eventually
from tests.support.site import DESK, NEEDS_CHROMIUM, PHONE, SCREENSHOTS, Site

sync_api = pytest.importorskip("playwright.sync_api", reason="the browser tests need playwright")
pytestmark = NEEDS_CHROMIUM


def sign_in(page: Any) -> None:
    browsing.sign_in(page)
    sync_api.expect(page.get_by_role("heading", name="Dashboard")).to_be_visible()


def composer(page: Any) -> Any:
    return page.get_by_role("textbox", name="Message")


def say(page: Any, text: str) -> None:
    composer(page).fill(text)
    page.get_by_role("button", name="Send").click()


def test_an_operator_signs_in_publishes_a_version_and_is_answered_by_the_worker(site: Site) -> None:
    page = site.open(viewport=DESK)
    sign_in(page)
    page.get_by_role("link", name="Chatbots").first.click()
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
    sync_api.expect(page.get_by_text("Answer like a lighthouse.")).to_be_visible()
    assert composer(page).input_value() == "half a sentence", "the answer left the form alone"
    say(page, "And now?")
    sync_api.expect(page.get_by_text("You wrote: “And now?”.")).to_be_visible()
    page.screenshot(path=SCREENSHOTS / "talk.png")

    page.get_by_role("link", name="Conversations").click()
    page.get_by_role("link", name="Is anybody there?").click()
    sync_api.expect(page.get_by_role("list", name="Messages").get_by_role("listitem")).to_have_count(4)
    assert site.noise == []


def test_without_javascript_a_button_brings_the_answer_and_leaves_what_is_being_typed(site: Site) -> None:
    page = site.open(java_script_enabled=False)
    sign_in(page)
    page.goto("/talk/")
    say(page, "Is anybody there?")
    composer(page).fill("half a sentence")
    site.start_worker()
    look, answer = page.get_by_role("button", name="Is the answer there?"), page.get_by_text("You wrote: “Is anybody")

    def is_answered() -> bool:
        look.click()
        page.wait_for_load_state()
        return bool(answer.count())

    eventually(is_answered)
    assert composer(page).input_value() == "half a sentence"
    assert look.count() == 0, "there is nothing to wait for"
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


# Each press, and whether it was let through.
PRESSES = """(button) => {
  const let_through = [];
  document.addEventListener("submit", (event) => {
    let_through.push(!event.defaultPrevented);
    event.preventDefault();
  });
  for (let presses = 0; presses < 3; presses++) button.click();
  return let_through;
}"""


def test_an_impatient_finger_sends_a_form_once(site: Site) -> None:
    page = site.open()
    sign_in(page)
    page.goto("/chatbots/1/edit")
    button = page.get_by_role("button", name="Publish version 2")
    assert button.evaluate(PRESSES) == [True, False, False]
    page.reload()
    button.dblclick()
    sync_api.expect(page.get_by_role("status")).to_have_text("Version 2 is live. New conversations begin with it.")
    assert site.noise == []
