"""How much goes over the wire, and how often."""

from __future__ import annotations

import gzip
import re
from html import unescape

import pytest
from flask import Flask, Response
from werkzeug.test import TestResponse

from service.admin.parts import assets, compression
from service.migrate import connection
from tests.support.panel import ONE_ENGINE, Browser

pytestmark = ONE_ENGINE
GZIP = {"Accept-Encoding": "gzip, deflate, br"}
FIRST_LOAD = 150_000  # bytes, compressed
CSS = "/static/panel.css"


def assets_of(page: str) -> list[str]:
    """The addresses that a browser fetches for the page."""
    return [unescape(found) for found in re.findall(r'<(?:link|script)[^>]+(?:href|src)="([^"]+)"', page)]


def read(response: TestResponse) -> str:
    return gzip.decompress(response.data).decode() if response.headers.get("Content-Encoding") else response.text


@pytest.mark.parametrize("path", ["/sign-in", "/", "/chatbots/", "/conversations/", "/chatbots/new"])
def test_a_first_load_is_light(app: Flask, browser: Browser, path: str) -> None:
    visitor = Browser(app) if path == "/sign-in" else browser
    page = visitor.get(path, headers=GZIP)
    assert page.status_code == 200
    files = [visitor.get(address, headers=GZIP) for address in assets_of(read(page))]
    assert len(files) >= 3
    assert {file.status_code for file in files} == {200}
    assert len(page.data) + sum(len(file.data) for file in files) < FIRST_LOAD


def test_what_is_compressed_reads_the_same(browser: Browser) -> None:
    for path in ("/chatbots/new", CSS):
        plain, packed = browser.get(path), browser.get(path, headers=GZIP)
        assert packed.headers["Content-Encoding"] == "gzip"
        assert int(packed.headers["Content-Length"]) == len(packed.data) < len(plain.data) / 2
        assert "Content-Encoding" not in plain.headers
        assert "Accept-Encoding" in plain.headers["Vary"]
        assert strip_tokens(read(packed)) == strip_tokens(plain.text)


def strip_tokens(page: str) -> str:
    return re.sub(r'name="csrf_token" value="[^"]+"', "", page)


@pytest.mark.parametrize("accepted", ["", "br", "gzip;q=0", "identity"])
def test_who_does_not_read_gzip_gets_none(browser: Browser, accepted: str) -> None:
    assert "Content-Encoding" not in browser.get(CSS, headers={"Accept-Encoding": accepted}).headers


def test_what_answers_a_form_is_not_compressed(browser: Browser) -> None:
    """It repeats what was typed, beside a link that nobody else should read."""
    fields = browser.fields("/people/invite") | {"email": "new@example.org"}
    shown = browser.client.post("/people/invite", data=fields, headers=GZIP)
    refused = browser.client.post("/people/invite", data=fields | {"email": ""}, headers=GZIP)
    assert [shown.status_code, refused.status_code] == [200, 400]
    assert len(shown.data) > compression.LEAST
    for answer in (shown, refused):
        assert "Content-Encoding" not in answer.headers


def test_a_page_is_not_always_of_the_same_length(browser: Browser) -> None:
    assert len({len(browser.get("/chatbots/new", headers=GZIP).data) for _ in range(20)}) > 5


def test_what_comes_in_pieces_stays_in_pieces(app: Flask, browser: Browser) -> None:
    def pieces() -> Response:
        return Response((piece for piece in ["x" * 5000, "y" * 5000]), mimetype="text/html")

    app.view_functions["migrations.index"] = pieces
    response = browser.get("/migrations/", headers=GZIP)
    assert "Content-Encoding" not in response.headers
    assert len(response.data) == 10_000


def test_a_file_is_kept_for_a_year_under_its_hash_alone(app: Flask, browser: Browser) -> None:
    addresses = assets_of(browser.read("/chatbots/"))
    assert all("?v=" in address for address in addresses)
    for address in addresses:
        assert browser.get(address).headers["Cache-Control"] == f"public, max-age={assets.YEAR}, immutable"
    for address in (CSS, f"{CSS}?v=old", f"{CSS}?v="):
        assert "immutable" not in browser.get(address).headers["Cache-Control"]
    for missing in ("nothing.css", "../config.py"):
        assert browser.get(f"/static/{missing}?v=x").status_code == 404


def test_a_file_that_changed_has_another_address(app: Flask, browser: Browser) -> None:
    with app.test_request_context():
        addresses = {app.url_for("static", filename=name) for name in ("panel.css", "talk.js")}
    assert len({address.partition("?v=")[2] for address in addresses}) == 2


def test_an_unchanged_file_is_not_sent_again(browser: Browser) -> None:
    etag = browser.get(CSS, headers=GZIP).headers["ETag"]
    again = browser.get(CSS, headers=GZIP | {"If-None-Match": etag})
    assert (again.status_code, again.data) == (304, b"")


def test_no_page_connects_once_more(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "_open", lambda *_: pytest.fail("That costs the server more than all queries."))
    for page in ("/", "/migrations/", "/migrations/001_initial"):
        browser.read(page)
