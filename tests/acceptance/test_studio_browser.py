"""The data browser in a real browser: found, filtered, followed, changed and deleted, on a phone and by keyboard."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.site import DESK, NEEDS_CHROMIUM, PHONE, Site, sign_in, too_wide

sync_api = pytest.importorskip("playwright.sync_api", reason="the browser tests need playwright")
pytestmark = NEEDS_CHROMIUM


def begin(site: Site, path: str, **options: Any) -> Any:
    page = site.open(**options)
    sign_in(page)
    sync_api.expect(page.get_by_role("heading", name="Dashboard")).to_be_visible()
    page.goto(path)
    return page


@pytest.mark.parametrize("script", [True, False])
def test_a_row_is_found_changed_and_the_change_is_in_the_record(site: Site, script: bool) -> None:
    page = begin(site, "/studio/", viewport=DESK, java_script_enabled=script)
    page.get_by_role("link", name="personas", exact=True).first.click()
    page.get_by_label("Column").select_option("is_active")
    page.get_by_label("Value").fill("true")
    page.get_by_role("button", name="Filter").click()
    sync_api.expect(page.get_by_role("link", name="is_active is “true”")).to_be_visible()
    page.get_by_role("rowheader").first.get_by_role("link").click()
    page.get_by_role("link", name="Edit", exact=True).click()
    page.get_by_label("name varchar").fill("Dockmaster")
    page.get_by_label("created_at").fill("yesterday")
    page.get_by_role("button", name="Save").click()
    sync_api.expect(page.get_by_text("Type it like this: 2026-11-21 17:30:00.")).to_be_visible()
    sync_api.expect(page.get_by_label("name varchar")).to_have_value("Dockmaster")
    page.get_by_label("created_at").fill("2026-11-21 17:30:00")
    page.get_by_role("button", name="Save").click()
    sync_api.expect(page.get_by_role("status")).to_have_text("Changed: name, created_at.")
    page.goto("/audit-log/")
    sync_api.expect(page.get_by_text("personas 1").first).to_be_visible()
    assert site.surprises() == []


def test_links_lead_from_row_to_row_and_back(site: Site) -> None:
    page = begin(site, "/studio/rows/chatbots", viewport=DESK)
    page.get_by_role("rowheader").first.get_by_role("link").click()
    page.locator("dd").get_by_role("link").first.click()
    sync_api.expect(page.get_by_role("heading", name="creators 1")).to_be_visible()
    page.get_by_role("link", name="chatbots", exact=True).click()
    sync_api.expect(page.get_by_role("link", name="creator_id is “1”")).to_be_visible()
    page.get_by_role("rowheader").first.get_by_role("link").click()
    page.get_by_role("link", name="Delete…").click()
    sync_api.expect(page.get_by_role("heading", name="Other rows hold this one")).to_be_visible()
    sync_api.expect(page.get_by_role("button", name="Delete for good")).to_have_count(0)
    assert site.surprises() == []


def test_a_row_is_added_and_deleted_on_a_phone_by_keyboard(site: Site) -> None:
    page = begin(site, "/studio/new/creators", viewport=PHONE)
    page.get_by_label("name varchar").focus()
    page.keyboard.type("Lighthouse")
    page.keyboard.press("Enter")
    sync_api.expect(page.get_by_role("status")).to_have_text("The row was added to creators.")
    assert too_wide(page) == 0
    page.get_by_role("link", name="Delete…").press("Enter")
    sync_api.expect(page.get_by_text("Nothing else: no other row points at it.")).to_be_visible()
    assert too_wide(page) == 0
    page.get_by_role("button", name="Delete for good").press("Enter")
    sync_api.expect(page.get_by_role("status")).to_have_text("The row is gone from creators.")
    assert too_wide(page) == 0, "wide rows scroll by themselves"
    assert site.surprises() == []


def test_two_people_at_one_row_do_not_overwrite_each_other(site: Site) -> None:
    first, second = (begin(site, "/studio/edit/creators/1", viewport=DESK) for _ in range(2))
    for page, name in ((first, "North"), (second, "South")):
        page.get_by_label("name varchar").fill(name)
        page.get_by_role("button", name="Save").click()
    sync_api.expect(first.get_by_role("status")).to_have_text("Changed: name.")
    sync_api.expect(second.get_by_text("Somebody changed this row while you were typing.")).to_be_visible()
    sync_api.expect(second.get_by_text("Now: “North”")).to_be_visible()
    second.get_by_role("button", name="Save").click()
    sync_api.expect(second.get_by_role("status")).to_have_text("Changed: name.")
    assert site.surprises() == []
