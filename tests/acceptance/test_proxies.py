"""What the real server believes of a request, before the panel sees it."""

from __future__ import annotations

import httpx
import pytest

from service.url import DatabaseUrl
from tests.support.postgresql import free_port
from tests.support.processes import HANGS, Start, environment


@pytest.mark.parametrize(("proxies", "is_believed"), [("", False), ("1", True)])
def test_https_is_believed_from_a_counted_proxy_alone(
    furnished_url: DatabaseUrl, start: Start, proxies: str, is_believed: bool
) -> None:
    """gunicorn itself would believe whoever comes from 127.0.0.1, as this test does."""
    port = free_port()
    env = environment(furnished_url, PORT=str(port), SECRET_KEY="a key of the tests", TRUSTED_PROXIES=proxies)
    start("entrypoints/admin-panel.sh", env=env).serves(port)
    headers = httpx.get(
        f"http://127.0.0.1:{port}/sign-in", headers={"X-Forwarded-Proto": "https"}, timeout=HANGS
    ).headers
    assert ("; Secure" in headers["set-cookie"]) == is_believed
    assert ("strict-transport-security" in headers) == is_believed
