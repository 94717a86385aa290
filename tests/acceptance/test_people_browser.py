"""People in a real browser: a second step at the sign-in, an invitation from both sides, a new password."""

from __future__ import annotations

import time
from typing import Any

import pyotp
import pytest

from tests.support.panel import EMAIL, PASSWORD
from tests.support.site import DESK, NEEDS_CHROMIUM, PHONE, SCREENSHOTS, Site, sign_in

sync_api = pytest.importorskip("playwright.sync_api", reason="the browser tests need playwright")
axe_api = pytest.importorskip("axe_playwright_python.sync_playwright", reason="the tests with axe need its rules")
pytestmark = NEEDS_CHROMIUM
NARROW = {"width": 320, "height": 568}
NEW, SENTENCE = "nell@example.org", "a sentence that does well"


def shows(page: Any, text: str) -> None:
    sync_api.expect(page.get_by_text(text).first).to_be_visible()


def is_in(page: Any) -> None:
    sync_api.expect(page.get_by_role("button", name="Sign out", exact=True).first).to_be_visible()


def look(page: Any, name: str) -> None:
    """For pages that come of a form, and so have no address of their own."""
    assert axe_api.Axe().run(page).response["violations"] == []
    page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=True)


def press(page: Any, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).first.click()


def test_a_second_step_is_turned_on_and_asked_for(site: Site) -> None:
    page = site.open(viewport=DESK)
    sign_in(page)
    page.get_by_role("link", name=EMAIL).first.click()
    page.get_by_role("link", name="Turn it on").click()
    sync_api.expect(page.get_by_role("img", name="The secret as a QR code")).to_be_visible()
    secret = page.locator(".secret code").inner_text()
    page.get_by_label("Code", exact=True).fill("000000")
    page.get_by_label("Your password").fill(PASSWORD)
    press(page, "Turn it on")
    shows(page, "That code is not right.")
    assert page.locator(".secret code").inner_text() == secret, "what the telephone has read still holds"
    page.get_by_label("Code", exact=True).fill(pyotp.TOTP(secret).now())
    page.get_by_label("Your password").fill(PASSWORD)
    press(page, "Turn it on")
    shows(page, "The second step is on.")
    press(page, "Sign out")

    sign_in(page)
    sync_api.expect(page.get_by_label("Code")).to_be_focused()
    look(page, "sign-in-code")
    # The present code is used up; the next one is right already.
    page.get_by_label("Code").fill(pyotp.TOTP(secret).at(int(time.time()) + 30))
    page.keyboard.press("Enter")
    is_in(page)
    assert site.surprises() == []


def test_somebody_is_invited_and_comes_in_on_their_telephone(site: Site) -> None:
    owner, guest = site.open(viewport=DESK), site.open(viewport=PHONE)
    sign_in(owner)
    owner.get_by_role("link", name="People").first.click()
    owner.get_by_role("link", name="Invite somebody").click()
    owner.get_by_label("Email").fill(NEW)
    owner.get_by_label("Team").select_option(label="Harbour")
    press(owner, "Make the link")
    link = owner.locator(".secret code").inner_text()
    look(owner, "people-link")

    guest.goto(link)
    shows(guest, "invites you as editor")
    guest.get_by_label("Name").fill("Nell")
    guest.get_by_label("Password", exact=True).fill(SENTENCE)
    guest.get_by_label("The same password again").fill("something else")
    press(guest, "Come in")
    shows(guest, "That is not the same password.")
    assert guest.get_by_label("Name").input_value() == "Nell"
    look(guest, "welcome-refused")
    guest.get_by_label("Password", exact=True).fill(SENTENCE)
    guest.get_by_label("The same password again").fill(SENTENCE)
    press(guest, "Come in")
    guest.goto("/chatbots/")
    shows(guest, "Harbour desk")

    owner.goto("/people/")
    owner.get_by_role("link", name="Nell").click()
    owner.get_by_label("Role").select_option("viewer")
    press(owner, "Change the role")
    shows(owner, "Nell is now viewer.")
    owner.get_by_role("link", name="Disable the account").click()
    press(owner, "Disable it")
    guest.goto("/chatbots/")
    sync_api.expect(guest.get_by_role("heading", name="Sign in")).to_be_visible()
    assert site.surprises() == []


def test_a_password_is_changed_and_the_new_one_opens_the_panel(site: Site) -> None:
    page, other = site.open(viewport=DESK), site.open(viewport=DESK)
    for each in (page, other):
        sign_in(each)
        is_in(each)
    page.goto("/account/")
    page.get_by_label("Your password").fill(PASSWORD)
    page.get_by_label("New password", exact=True).fill(SENTENCE)
    page.get_by_label("New password again").fill(SENTENCE)
    press(page, "Change the password")
    shows(page, "Your password is changed, and every other browser is signed out.")
    other.goto("/chatbots/")
    sync_api.expect(other.get_by_role("heading", name="Sign in")).to_be_visible()
    sign_in(other, password=SENTENCE)
    is_in(other)
    assert site.surprises() == []


BETWEEN = """labels => labels.slice(1).map(
  (label, above) => label.getBoundingClientRect().top - labels[above].getBoundingClientRect().bottom)"""


def test_what_can_be_ticked_stays_legible_where_there_is_little_room(site: Site) -> None:
    page = site.open(viewport=NARROW)
    sign_in(page)
    page.goto("/tokens/new")
    press(page, "Make the token")
    shows(page, "Tick at least one.")
    assert min(page.locator(".ticks label").evaluate_all(BETWEEN)) > 0, "none is written over another"


def test_a_token_is_made_with_the_keyboard_and_copied(site: Site) -> None:
    page = site.open(viewport=DESK, permissions=["clipboard-read", "clipboard-write"])
    sign_in(page)
    is_in(page)
    page.goto("/tokens/new")
    page.keyboard.type("Website")
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    page.keyboard.press("Enter")
    key = page.locator(".secret code").inner_text()
    assert key.startswith("slw_")
    look(page, "tokens-issued")
    page.get_by_role("button", name="Copy").click()
    sync_api.expect(page.get_by_role("button", name="Copy")).to_have_text("Copied")
    sync_api.expect(page.get_by_role("status")).to_have_text("The text is on the clipboard.")
    assert page.evaluate("navigator.clipboard.readText()") == key
    page.get_by_role("link", name="Back to the tokens").click()
    page.get_by_role("link", name="Revoke… Website").click()
    press(page, "Revoke it")
    shows(page, "Website is revoked.")
    assert site.surprises() == []
