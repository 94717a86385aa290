"""Editing a chatbot in a real browser: the draft is talked to, published, compared, and taken back."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import pytest

from tests.support.endpoint import Reply, Until, UntilLeft, delta, endpoint, event, saying
from tests.support.processes import HANGS
from tests.support.site import DESK, NEEDS_CHROMIUM, PHONE, SCREENSHOTS, Site, sign_in, too_wide

sync_api = pytest.importorskip("playwright.sync_api", reason="the browser tests need playwright")
pytestmark = NEEDS_CHROMIUM


def begin(site: Site, **options: Any) -> Any:
    """The form of the seeded chatbot."""
    page = site.open(**options)
    sign_in(page)
    sync_api.expect(page.get_by_role("heading", name="Dashboard")).to_be_visible()
    page.goto("/chatbots/1/edit")
    return page


def tab_to(page: Any, name: str) -> None:
    """By the keyboard alone, until the element with this name has the focus."""
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("(document.activeElement.labels?.[0] ?? document.activeElement).textContent.trim()") == name:
            return
    raise AssertionError(f"{name} can't be reached by the keyboard")


def test_a_draft_is_tried_published_compared_and_taken_back(site: Site) -> None:
    page = begin(site, viewport=DESK)
    prompt = page.get_by_label("System prompt")
    before = prompt.input_value()
    prompt.fill("Be a lighthouse.")
    page.get_by_label("Question").fill("Is anybody there?")
    page.get_by_role("button", name="Try it").click()
    sync_api.expect(page.get_by_text("My instructions begin: “Be a lighthouse.”")).to_be_visible()
    sync_api.expect(page.get_by_label("Question")).to_have_value("")
    assert page.url.endswith("/chatbots/1/edit"), "the page stayed"
    page.screenshot(path=SCREENSHOTS / "draft-tried.png", full_page=True)
    page.get_by_label("What changed, and why?").fill("The keeper asked for it.")
    page.get_by_role("button", name="Publish version 2").click()
    sync_api.expect(page.get_by_role("status")).to_have_text("Version 2 is live. New conversations begin with it.")

    page.get_by_role("button", name="Compare the marked").click()
    sync_api.expect(page.get_by_role("cell", name="added: Be a lighthouse.")).to_be_visible()
    page.screenshot(path=SCREENSHOTS / "compare.png", full_page=True)
    page.get_by_role("link", name="Make 1 current…").click()
    page.get_by_role("button", name="Publish version 3").click()
    sync_api.expect(page.get_by_text("Version 3 is live, with the settings of version 1.")).to_be_visible()
    page.get_by_role("link", name="Edit", exact=True).click()
    sync_api.expect(page.get_by_label("System prompt")).to_have_value(before)
    assert site.surprises() == []


def ask(page: Any, base: str, question: str) -> None:
    page.get_by_label("Provider").select_option("openai")
    page.get_by_role("textbox", name="Model", exact=True).fill("small")
    if not page.get_by_label("Configuration").is_visible():
        page.get_by_text("Advanced settings").click()
    page.get_by_label("Configuration").fill(f'{{"base_url": "{base}", "api_key_env": ""}}')
    page.get_by_label("Question").fill(question)
    page.get_by_role("button", name="Try it").click()


def test_an_answer_appears_while_it_is_written_and_ends_when_the_page_is_left(site: Site) -> None:
    endless = Reply((UntilLeft(event(delta(content="and "))),))
    with endpoint(endless) as answering:
        page = begin(site, viewport=PHONE)
        ask(page, answering.base, "Will it end?")
        sync_api.expect(page.get_by_text("and and and")).to_be_visible()
        sync_api.expect(page.get_by_role("button", name="Try it")).to_be_disabled()
        assert too_wide(page) == 0
        page.goto("/chatbots/")
        assert answering.left.wait(HANGS), "nobody waits for the answer any more"
    assert site.surprises() == []


def test_the_talk_with_a_draft_goes_on(site: Site) -> None:
    is_thought_over = threading.Event()
    slow = saying("First ", "answer.")
    slow = replace(slow, pieces=(Until(is_thought_over), *slow.pieces))
    with endpoint(slow, saying("Second answer.")) as answering:
        page = begin(site, viewport=PHONE)
        ask(page, answering.base, "First?")
        sync_api.expect(page.get_by_text("waiting for the answer…")).to_be_visible()
        page.keyboard.type("Next?")
        is_thought_over.set()
        sync_api.expect(page.get_by_text("First answer.", exact=True)).to_be_visible()
        sync_api.expect(page.get_by_role("button", name="Try it")).to_be_enabled()
        sync_api.expect(page.get_by_text("waiting for the answer…")).to_be_hidden()
        sync_api.expect(page.get_by_label("Question")).to_have_value("Next?")
        page.keyboard.press("Control+Enter")
        sync_api.expect(page.get_by_text("Second answer.", exact=True)).to_be_visible()
        said = [turn["content"] for turn in answering.asked[1].body["messages"]]
    assert said[-3:] == ["First?", "First answer.", "Next?"]
    assert too_wide(page) == 0
    assert site.surprises() == []


def test_what_can_not_be_tried_comes_back_marked(site: Site) -> None:
    page = begin(site, viewport=DESK)
    page.get_by_text("Advanced settings").click()
    page.get_by_label("Configuration").fill("{oops")
    page.get_by_label("Question").fill("Is anybody there?")
    page.get_by_role("button", name="Try it").click()
    sync_api.expect(page.get_by_text("Not JSON:")).to_be_visible()
    sync_api.expect(page.get_by_label("Question")).to_have_value("Is anybody there?")
    assert site.surprises() == []


def test_without_javascript_the_page_comes_back_with_the_answer(site: Site) -> None:
    page = begin(site, viewport=DESK, java_script_enabled=False)
    page.get_by_label("System prompt").fill("Be a lighthouse.")
    for question in ("One?", "Two?"):
        page.get_by_label("Question").fill(question)
        page.get_by_role("button", name="Try it").click()
        sync_api.expect(page.get_by_text(f"You wrote: “{question}”.")).to_be_visible()
    sync_api.expect(page.get_by_text("You wrote: “One?”.")).to_be_visible()
    page.get_by_role("button", name="Publish version 2").click()
    sync_api.expect(page.get_by_role("status")).to_have_text("Version 2 is live. New conversations begin with it.")
    assert site.surprises() == []


def test_the_keyboard_is_enough(site: Site) -> None:
    page = begin(site, viewport=DESK)
    tab_to(page, "System prompt")
    page.keyboard.press("Control+A")
    page.keyboard.type("Be a lighthouse.")
    tab_to(page, "Question")
    page.keyboard.type("Is anybody there?")
    tab_to(page, "Try it")
    page.keyboard.press("Enter")
    sync_api.expect(page.get_by_text("My instructions begin: “Be a lighthouse.”")).to_be_visible()
    page.get_by_label("Title").focus()
    page.keyboard.press("Enter")
    sync_api.expect(page.get_by_role("status")).to_have_text("Version 2 is live. New conversations begin with it.")
    assert site.surprises() == []
