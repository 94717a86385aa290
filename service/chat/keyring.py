"""The keys that a version may name, and the addresses that it may send them to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from urllib.parse import urlsplit


class Refused(Exception):
    """A key that isn't there, or an address that the operator doesn't allow. The text is for the operator."""


class Keyring:
    """Never shows a key: not in its own text, and not in that of an error."""

    def __init__(self, keys: Mapping[str, str] | None = None, allowed: Iterable[str] = ()) -> None:
        self._keys, self._allowed = dict(keys or {}), tuple(allowed)

    def headers(self, name: str) -> dict[str, str]:
        """What a request says about who asks; nothing without a name. Raises Refused."""
        return {"Authorization": f"Bearer {self.key(name)}"} if name else {}

    def key(self, name: str) -> str:
        key = self._keys.get(name, "")
        if not key:
            raise Refused(f"{name} is not set: give it, or {name}_FILE, to the process that answers.")
        if not (key.isascii() and key.isprintable()):
            raise Refused(f"{name} holds characters that no key has: set it again.")
        return key

    def permit(self, url: str) -> str:
        """The address, if versions may name it; Refused tells of PROVIDER_URLS."""
        if self._allowed and not any(_is_below(url, prefix) for prefix in self._allowed):
            raise Refused(f"{origin(url)} is not among the addresses that PROVIDER_URLS allows.")
        return url

    def redacted(self, text: str) -> str:
        """Without the keys, which an endpoint may send back in its complaint."""
        for key in filter(None, self._keys.values()):
            text = text.replace(key, "…")
        return text


def origin(url: str) -> str:
    """The part of an address that says whose it is; the rest may be long, and nobody needs it in a message."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _is_below(url: str, prefix: str) -> bool:
    """By whole parts: https://api.example.com allows neither https://api.example.com.evil.org nor a path that leads
    out of the one that is allowed."""
    asked, allowed = urlsplit(url), urlsplit(prefix)
    path, base = asked.path.rstrip("/") + "/", allowed.path.rstrip("/") + "/"
    is_same_origin = _whose(asked.scheme, asked.hostname, asked.port) == _whose(
        allowed.scheme, allowed.hostname, allowed.port
    )
    return is_same_origin and path.startswith(base) and ".." not in path and "%2e" not in path.lower()


def _whose(scheme: str, host: str | None, port: int | None) -> tuple[str, str | None, int | None]:
    return scheme, host, port or {"https": 443, "http": 80}.get(scheme)
