"""The panel without a network: a browser that reads forms, fills them in and sends them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from jinja2 import Undefined
from jinja2.bccache import Bucket, BytecodeCache
from jinja2.utils import missing
from werkzeug.security import generate_password_hash
from werkzeug.test import TestResponse

from service.admin.access import session
from service.config import Config
from service.models import User
from service.url import DatabaseUrl
from tests.support.kept_panel import kept_panel
from tests.support.processes import as_text

EMAIL, PASSWORD = "dana@example.org", "a long enough password"
# Cheap on purpose; how dear the real ones are is seen where a password is set.
PASSWORD_HASH = generate_password_hash(PASSWORD, method="scrypt:128:8:1")


class Compiled(BytecodeCache):
    """Templates as they were compiled for the panel of an earlier test."""

    def __init__(self) -> None:
        self._kept: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        if bucket.key in self._kept:
            bucket.bytecode_from_string(self._kept[bucket.key])

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._kept[bucket.key] = bucket.bytecode_to_string()


COMPILED = Compiled()


class Misnamed(Undefined):
    """Fails the test where a template asks an object for what it does not have. On a page that is nothing, and nobody
    would miss it. What a page was not given, and what a dictionary does not hold, may be asked for."""

    def __init__(self, hint: str | None = None, obj: Any = missing, name: str | None = None, *others: Any) -> None:
        super().__init__(hint, obj, name, *others)
        is_allowed = obj is missing or isinstance(obj, dict | Flask.app_ctx_globals_class)
        assert is_allowed, f"{type(obj).__name__} has no {name}"


def panel(url: DatabaseUrl, migrations: Path | str = "", **settings: str) -> Flask:
    environ = {"DATABASE_URL": as_text(url), "SECRET_KEY": "a key of the tests", "MIGRATIONS_DIR": str(migrations)}
    app = kept_panel(Config.from_env(environ | settings))
    app.jinja_env.bytecode_cache, app.jinja_env.undefined = COMPILED, Misnamed
    return app


def add_user(email: str = EMAIL, **fields: Any) -> User:
    return User.create(**{"email": email, "name": email.partition("@")[0], "password_hash": PASSWORD_HASH} | fields)


# For what does not depend on the engine: its tests need not run twice.
ONE_ENGINE = pytest.mark.parametrize("service_database", ["sqlite"], indirect=True)


class Browser:
    """Keeps cookies, follows no redirect by itself, and sends what the form of a page holds."""

    def __init__(self, app: Flask) -> None:
        self.client = app.test_client()

    def get(self, path: str, **options: Any) -> TestResponse:
        return self.client.get(path, **options)

    def read(self, path: str) -> str:
        """The page as text; anything but a page that is there fails the test."""
        response = self.get(path)
        assert response.status_code == 200, f"{path} answered {response.status}"
        return response.text

    def submit(self, path: str, to: str = "", **typed: str) -> TestResponse:
        """Open the page and send its form with what was typed."""
        return self.send(to or path, self.fields(path) | typed)

    def send(self, path: str, fields: dict[str, str]) -> TestResponse:
        return self.client.post(path, data=fields)

    def fields(self, path: str) -> dict[str, str]:
        return fields_of(self.get(path).text)

    def sign_in(self, email: str = EMAIL, password: str = PASSWORD, path: str = "/sign-in") -> TestResponse:
        return self.submit(path, email=email, password=password)


def signed_in(app: Flask, email: str = EMAIL) -> Browser:
    """The browser of a user, who is added if need be, with the cookies that a sign-in ends with. The form before it
    takes as long as most tests do, and has tests of its own."""
    user = User.get_or_none(User.email == email) or add_user(email)
    with app.test_request_context("/sign-in", method="POST"):
        answer = app.process_response(session.begin(user))
    browser = Browser(app)
    for cookie in answer.headers.getlist("Set-Cookie"):
        name, _, value = cookie.partition(";")[0].partition("=")
        browser.client.set_cookie(name, value)
    return browser


def at_once(times: int, work: Callable[[], object]) -> None:
    """Do the work in as many threads, which all begin together; an error in one is an error here."""
    barrier = threading.Barrier(times)

    def begin() -> None:
        barrier.wait()
        work()

    with ThreadPoolExecutor(times) as threads:
        for done in [threads.submit(begin) for _ in range(times)]:
            done.result()


def fields_of(page: str) -> dict[str, str]:
    parser = _Fields()
    parser.feed(page)
    return parser.values


class _Fields(HTMLParser):
    """What a browser would send for the untouched form of the page."""

    def __init__(self) -> None:
        super().__init__()
        self.values: dict[str, str] = {}
        self._textarea = self._select = ""

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attributes}
        if tag == "input" and (given.get("type") != "checkbox" or "checked" in given):
            self.values[given["name"]] = given.get("value", "")
        if tag == "textarea":
            self._textarea = given["name"]
            self.values[self._textarea] = ""
        if tag == "select":
            self._select = given["name"]
        if tag == "option" and (self._select not in self.values or "selected" in given):
            self.values[self._select] = given["value"]

    def handle_data(self, data: str) -> None:
        if self._textarea:
            # The line end right after the tag is not part of the text.
            is_first = not self.values[self._textarea]
            text = data.removeprefix("\r\n" if data.startswith("\r") else "\n") if is_first else data
            self.values[self._textarea] += text

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea":
            self._textarea = ""
