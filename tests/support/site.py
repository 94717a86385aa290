"""A running panel in a real browser. Screenshots go to screenshots/, which is not committed: look at them after a
change of the look."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from service.url import ROOT
from tests.support.panel import EMAIL, PASSWORD
from tests.support.processes import HANGS

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
NEEDS_CHROMIUM = pytest.mark.skipif(
    CHROMIUM is None, reason="no chromium here; `apt-get install chromium` runs these tests"
)
DESK, PHONE = {"width": 1280, "height": 800}, {"width": 360, "height": 740}
SCREENSHOTS = ROOT / "screenshots"
PATIENCE = 1000 * HANGS  # ms, for what a page is to show and to do


@dataclass
class Site:
    """The panel's address, and the pages opened on it."""

    address: str
    browser: Any
    start_worker: Callable[[], object] = lambda: None
    noise: list[str] = field(default_factory=list)

    def open(self, **options: Any) -> Any:
        """A page of a new visitor; whatever it writes to its console is kept as noise."""
        context = self.browser.new_context(base_url=self.address, **options)
        context.set_default_timeout(PATIENCE)
        page = context.new_page()
        page.on("console", lambda message: self.noise.append(f"{page.url}: {message.text}"))
        page.on("pageerror", lambda error: self.noise.append(f"{page.url}: {error}"))
        return page

    def surprises(self) -> list[str]:
        """The noise, without Chromium's own note on each form that was refused and each page that is not there."""
        return [line for line in self.noise if "the server responded with a status of 4" not in line]

    def close(self) -> None:
        for context in self.browser.contexts:
            context.close()


def sign_in(page: Any, email: str = EMAIL, password: str = PASSWORD) -> None:
    """With the password alone; what comes next is the caller's to wait for."""
    page.goto("/")
    type_password(page, email, password)


def type_password(page: Any, email: str = EMAIL, password: str = PASSWORD) -> None:
    page.get_by_label("Email").fill(email)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()


# The grid of the data browser is wider than its panel on purpose, and says so.
_WIDER = """
Math.max(...[document.documentElement, ...document.querySelectorAll(".panel:not(.scroll)")].map(
  (box) => box.scrollWidth - box.clientWidth))
"""


def too_wide(page: Any) -> int:
    """How many pixels of the page, or of a panel in it, a visitor would have to scroll to the side for."""
    return int(page.evaluate(_WIDER))
