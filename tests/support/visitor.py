"""A person at the panel, over HTTP: fills in the forms that the pages show."""

from __future__ import annotations

import time
from html import unescape
from html.parser import HTMLParser
from types import TracebackType

import httpx

from tests.support.processes import HANGS


class _Fields(HTMLParser):
    """What a browser would send for an untouched page: hidden fields, and the first option of each choice."""

    def __init__(self) -> None:
        super().__init__()
        self.values: dict[str, str] = {}
        self._choice = ""

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attributes}
        if tag == "input" and given.get("type") == "hidden":
            self.values[given["name"]] = given.get("value", "")
        if tag == "select":
            self._choice = given["name"]
        if tag == "option" and self._choice:
            self.values.setdefault(self._choice, given["value"])


class Visitor:
    def __init__(self, address: str) -> None:
        self._http = httpx.Client(base_url=address, follow_redirects=True, timeout=HANGS)

    def __enter__(self) -> Visitor:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    @property
    def cookie(self) -> str:
        """What a browser would send along, for whoever asks without one."""
        return "; ".join(f"{cookie.name}={cookie.value}" for cookie in self._http.cookies.jar)

    def sign_in(self, email: str, password: str) -> None:
        """Starts without cookies, as a new browser does."""
        self._http.cookies.clear()
        page = self._submit("/sign-in", email=email, password=password)
        assert "/sign-in" not in page.url.path, f"{email} could not sign in"

    def talk(self, text: str, seconds: float = HANGS) -> str:
        """Begin a conversation with the first chatbot; the offline provider's answer, which quotes the question."""
        conversation = self._submit("/talk/", content=text).url.path
        deadline = time.monotonic() + seconds
        while True:
            said = unescape(self._http.get(f"{conversation}/messages").raise_for_status().text)
            _question, found, answer = said.partition("You wrote:")
            if found:
                return answer
            assert time.monotonic() < deadline, f"nobody answered within {seconds:g} s: {said}"
            time.sleep(0.1)

    def _submit(self, path: str, **typed: str) -> httpx.Response:
        fields = _Fields()
        fields.feed(self._http.get(path).raise_for_status().text)
        return self._http.post(path, data=fields.values | typed).raise_for_status()
