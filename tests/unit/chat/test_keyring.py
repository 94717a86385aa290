from __future__ import annotations

import pytest

from service.chat.keyring import Keyring, Refused

KEYS = {"OPENAI_API_KEY": "sk-secret", "BROKEN_API_KEY": "sk-\nsecret"}


def test_a_key_goes_into_the_header_that_asks_for_it() -> None:
    assert Keyring(KEYS).headers("OPENAI_API_KEY") == {"Authorization": "Bearer sk-secret"}
    assert Keyring(KEYS).headers("") == {}


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("OTHER_API_KEY", "OTHER_API_KEY is not set: give it, or OTHER_API_KEY_FILE, to the process that answers."),
        ("BROKEN_API_KEY", "BROKEN_API_KEY holds characters that no key has: set it again."),
    ],
)
def test_a_key_that_can_not_be_used_is_named_and_not_shown(name: str, complaint: str) -> None:
    with pytest.raises(Refused) as caught:
        Keyring(KEYS).headers(name)
    assert str(caught.value) == complaint


def test_nothing_shows_a_key() -> None:
    keyring = Keyring(KEYS)
    assert "secret" not in repr(keyring)
    assert keyring.redacted("Wrong key: sk-secret.") == "Wrong key: …."


def test_without_limits_every_address_may_be_named() -> None:
    assert Keyring().permit("http://10.0.0.1/v1") == "http://10.0.0.1/v1"


ALLOWED = ("https://api.example.com/v1", "http://models:8080")


@pytest.mark.parametrize(
    "url",
    [
        "https://api.example.com/v1",
        "https://api.example.com/v1/",
        "https://api.example.com:443/v1/deeper",
        "https://API.example.com/v1",
        "http://models:8080/any/path",
    ],
)
def test_an_address_below_an_allowed_one_may_be_named(url: str) -> None:
    assert Keyring(allowed=ALLOWED).permit(url) == url


@pytest.mark.parametrize(
    "url",
    [
        "https://api.example.com.evil.org/v1",
        "https://evil.org/https://api.example.com/v1",
        "https://api.example.com/v2",
        "https://api.example.com/v10",
        "https://api.example.com/v1/../admin",
        "https://api.example.com/v1/%2E%2e/admin",
        "http://api.example.com/v1",
        "https://api.example.com:8443/v1",
        "http://models/any/path",
    ],
)
def test_an_address_elsewhere_may_not(url: str) -> None:
    with pytest.raises(Refused, match=r"^https?://[^/]+ is not among the addresses that PROVIDER_URLS allows\.$"):
        Keyring(allowed=ALLOWED).permit(url)
