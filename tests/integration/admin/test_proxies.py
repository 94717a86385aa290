"""Behind proxies that are trusted, and in front of visitors who are not."""

from __future__ import annotations

import pytest

from service.models import AuditEvent
from service.url import DatabaseUrl
from tests.support.panel import EMAIL, ONE_ENGINE, PASSWORD, Browser, add_user, panel

pytestmark = ONE_ENGINE
FORGED = "198.51.100.9, 203.0.113.1, 203.0.113.2"


@pytest.mark.parametrize(
    ("proxies", "address"), [("0", "127.0.0.1"), ("1", "203.0.113.2"), ("2", "203.0.113.1"), ("4", "127.0.0.1")]
)
def test_an_address_is_believed_as_far_as_proxies_are_trusted(
    service_database: DatabaseUrl, proxies: str, address: str
) -> None:
    add_user()
    browser = Browser(panel(service_database, TRUSTED_PROXIES=proxies))
    fields = browser.fields("/sign-in") | {"email": EMAIL, "password": PASSWORD}
    browser.client.post("/sign-in", data=fields, headers={"X-Forwarded-For": FORGED})
    assert AuditEvent.get().address == address


HTTPS = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "panel.example.org"}


@pytest.mark.parametrize(
    ("settings", "headers", "is_secure"),
    [
        ({}, {}, False),
        ({}, HTTPS, False),
        ({"TRUSTED_PROXIES": "1"}, HTTPS, True),
        ({"TRUSTED_PROXIES": "2"}, HTTPS, True),
        ({"TRUSTED_PROXIES": "1"}, {"X-Forwarded-Proto": "http"}, False),
        ({"SECURE_COOKIES": "true"}, {}, True),
        ({"SECURE_COOKIES": "false", "TRUSTED_PROXIES": "1"}, HTTPS, False),
    ],
)
def test_cookies_keep_to_https_where_the_visitor_came_over_it(
    service_database: DatabaseUrl, settings: dict[str, str], headers: dict[str, str], is_secure: bool
) -> None:
    answer = Browser(panel(service_database, **settings)).get("/sign-in", headers=headers)
    assert ("; Secure" in answer.headers["Set-Cookie"]) == is_secure
    assert ("Strict-Transport-Security" in answer.headers) == is_secure


def test_a_form_of_the_panel_is_taken_over_https_and_one_of_another_site_is_not(service_database: DatabaseUrl) -> None:
    add_user()
    browser = Browser(panel(service_database, TRUSTED_PROXIES="1"))
    page = browser.get("/sign-in", headers=HTTPS, base_url="http://panel")
    token = page.text.partition('name="csrf_token" value="')[2].partition('"')[0]
    typed = {"csrf_token": token, "email": EMAIL, "password": PASSWORD}
    answers = [
        browser.client.post("/sign-in", data=typed, headers=HTTPS | {"Referer": site}, base_url="http://panel")
        for site in ("https://evil.example/sign-in", "https://panel.example.org/sign-in")
    ]
    assert [answer.status_code for answer in answers] == [400, 303]
