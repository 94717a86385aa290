"""Each page of the panel as people see it, light and dark, wide and on a phone; by axe, for those who don't see it.

The pages are those of tests/support/routes.py; a new one is looked at by itself."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from service.database import bind, proxy
from service.url import ROOT, DatabaseUrl
from tests.support.panel import Browser, add_user, panel, signed_in
from tests.support.postgresql import free_port
from tests.support.processes import Process, environment
from tests.support.routes import ANYBODY, HALF_WAY, ROUTES, SIGHTS, furnish, routes
from tests.support.site import DESK, NEEDS_CHROMIUM, PHONE, SCREENSHOTS, Site, sign_in, too_wide

sync_api = pytest.importorskip("playwright.sync_api", reason="the browser tests need playwright")
axe_api = pytest.importorskip("axe_playwright_python.sync_playwright", reason="the tests with axe need its rules")
pytestmark = NEEDS_CHROMIUM

# Pictures of these two; axe looks at all four.
PICTURES = ("desk-light", "phone-dark")
SIZES = {"desk": DESK, "phone": PHONE}
SCHEMES = ("light", "dark")
# What breaks a rule alone: what keeps the rules is most of the answer.
AXE_RUN = """
axe.run({ resultTypes: ["violations"] }).then(({ violations }) => violations.flatMap(
  ({ id, nodes }) => nodes.map((node) => `${id}: ${node.html} ${node.failureSummary}`)))
"""
LOOKED_AT = [name for name, least in ROUTES.items() if name.startswith("GET ") and least != HALF_WAY] + list(SIGHTS)
# Else a button would still be on its way from light to dark when it is looked at.
STILL = {"viewport": DESK, "reduced_motion": "reduce"}


class Gallery:
    """A furnished panel, with a page of an owner and one of nobody, which all tests of a process share."""

    def __init__(self, site: Site, paths: dict[str, str]) -> None:
        self.site, self.paths = site, paths
        self.owner, self.nobody = site.open(**STILL), site.open(**STILL)
        sign_in(self.owner)
        sync_api.expect(self.owner.get_by_role("button", name="Sign out").first).to_be_visible()


@pytest.fixture(scope="module")
def gallery(_sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory, browser: Any) -> Iterator[Gallery]:
    folder = tmp_path_factory.mktemp("gallery")
    url = DatabaseUrl("sqlite", str(folder / "slipway.db"))
    shutil.copy(_sqlite_template, url.name)
    paths = furnished(panel(url, ROOT / "migrations"), url)
    port = free_port()
    env = environment(url, SECRET_KEY="a key of the tests", PORT=str(port))
    process = Process("entrypoints/admin-panel.sh", env=env, log=folder / "panel.log")
    process.serves(port)
    site = Site(f"http://127.0.0.1:{port}", browser)
    yield Gallery(site, paths)
    site.close()
    process.clean_up()


def furnished(app: Flask, url: DatabaseUrl) -> dict[str, str]:
    """Where each page is, by the name of its route; without files, fragments for a script, and answers for machines."""
    bind(url)
    values = furnish(add_user())
    paths = {route.name: route.path for route in routes(app, values) if route.method == "GET"}
    paths |= {path: path for path in SIGHTS}
    owner, nobody = signed_in(app), Browser(app)
    visitors = {name: nobody if ROUTES.get(name) == ANYBODY else owner for name in paths}
    pages = {name: path for name, path in paths.items() if is_page(visitors[name].get(path, follow_redirects=True))}
    proxy.obj.close()
    return pages


def is_page(answered: TestResponse) -> bool:
    return answered.mimetype == "text/html" and answered.text.startswith("<!doctype")


@pytest.mark.parametrize("name", LOOKED_AT)
def test_a_page_is_for_everybody(gallery: Gallery, name: str) -> None:
    path = gallery.paths.get(name)
    if path is None:
        return
    page = gallery.nobody if ROUTES.get(name) == ANYBODY else gallery.owner
    gallery.site.noise.clear()
    page.goto(path)
    page.evaluate(axe_api.Axe().axe_script)
    for size, viewport in SIZES.items():
        page.set_viewport_size(viewport)
        for scheme in SCHEMES:
            page.emulate_media(color_scheme=scheme)
            assert page.evaluate(AXE_RUN) == [], f"{scheme}, at the size of a {size}"
            look(page, name, f"{size}-{scheme}")
    assert gallery.site.surprises() == []


def look(page: Any, name: str, how: str) -> None:
    hidden = too_wide(page)
    assert hidden == 0, f"{name} is {hidden} pixels too wide for {how}"
    if how not in PICTURES:
        return
    file = re.sub(r"[^a-z0-9]+", "-", name.removeprefix("GET ")).strip("-") or "home"
    page.screenshot(path=SCREENSHOTS / f"{file}-{how}.png", full_page=True)
