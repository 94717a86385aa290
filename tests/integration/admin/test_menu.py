"""The menu beside every page."""

from __future__ import annotations

import re

from flask import Flask

from service.models import EDITOR, OWNER, VIEWER
from tests.support.panel import ONE_ENGINE, Browser, add_user, signed_in

pytestmark = ONE_ENGINE

ALL = [
    *("Dashboard", "Chatbots", "Conversations", "Talk", "Personas", "Tool calls", "Queue", "Migrations", "API tokens"),
    *("People", "Audit log", "Data"),
]
PAGES = [
    *("/", "/chatbots/", "/conversations/", "/talk/", "/personas/", "/tool-calls/", "/queue/", "/migrations/"),
    *("/tokens/", "/people/", "/audit-log/", "/studio/"),
]


def menu(browser: Browser, page: str) -> list[tuple[str, bool]]:
    """What stands in it, and whether it is said to be this page."""
    shown = browser.read(page).partition('aria-label="Main">')[2].partition("</nav>")[0]
    entries = re.findall(r"<li><a [^>]*?( aria-current=\"page\")?><svg.*?</svg>([^<]+)</a></li>", shown)
    return [(words, bool(is_here)) for is_here, words in entries]


def test_each_role_has_its_own_however_often_it_is_shown(app: Flask) -> None:
    owners = {"People", "Audit log", "Data"}
    left_out: dict[str, set[str]] = {VIEWER: {"Talk", *owners}, EDITOR: owners, OWNER: set()}
    people = {role: signed_in(app, add_user(f"{role}@example.org", role=role).email) for role in left_out}
    for _ in range(2):
        for role, browser in people.items():
            assert [words for words, _ in menu(browser, "/")] == [words for words in ALL if words not in left_out[role]]


def test_the_page_itself_is_marked_and_no_other(owner: Browser) -> None:
    marked = [[words for words, is_here in menu(owner, page) if is_here] for page in PAGES]
    assert marked == [[words] for words in ALL]
    assert not any(is_here for _, is_here in menu(owner, "/account/"))
