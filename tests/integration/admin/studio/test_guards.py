"""What the data browser leaves alone: records, versions, and what other pages have rules for."""

from __future__ import annotations

import pytest

from service.admin.studio import catalog, changes, rows
from service.chat import versions
from service.database import proxy
from service.models import SETTINGS, Chatbot, User
from service.url import ROOT, DatabaseUrl
from tests.support.chat import make_chatbot
from tests.support.panel import ONE_ENGINE, Browser, panel, signed_in


@pytest.fixture
def browser(service_database: DatabaseUrl) -> Browser:
    return signed_in(panel(service_database, ROOT / "migrations"))


def value(**typed: str) -> dict[str, str]:
    """The names that the form gives its columns."""
    return {f"value:{column}": text for column, text in typed.items()}


READ_ONLY = ("chatbot_versions", "migratehistory", "migratejournal", "audit_log")


@pytest.mark.parametrize("table", READ_ONLY)
def test_what_must_stay_as_it_is_can_not_be_written(browser: Browser, table: str) -> None:
    versions.current(make_chatbot())
    browser.submit("/studio/new/creators", **value(name="Harbour"))
    row = browser.read(f"/studio/row/{table}/1")
    assert f"/studio/edit/{table}" not in row
    assert f"/studio/delete/{table}" not in row
    token = {"csrf_token": browser.fields("/studio/new/creators")["csrf_token"]}
    for path in (f"edit/{table}/1", f"new/{table}"):
        assert browser.get(f"/studio/{path}").status_code == 403, path
        assert browser.send(f"/studio/{path}", token).status_code == 403, path
    assert browser.send(f"/studio/delete/{table}/1", token | _seen(browser, table)).status_code == 409


def _seen(browser: Browser, table: str) -> dict[str, str]:
    with proxy.obj.connection_context():
        source = rows.Source(proxy.obj, catalog.read(proxy.obj).tables[table])
        row = source.one((1,))
    assert row
    return {"seen": changes.stamp(row)}


def test_what_other_pages_watch_over_is_left_to_them(browser: Browser) -> None:
    chatbot = make_chatbot(system_prompt="Be brief.")
    current = versions.current(chatbot)
    typed = dict.fromkeys((*SETTINGS, "current_version_id"), "7") | {"title": "Renamed"}
    browser.submit(f"/studio/edit/chatbots/{chatbot.id}", **value(**typed))
    stored = Chatbot.get()
    assert (stored.title, stored.system_prompt, stored.current_version) == ("Renamed", "Be brief.", current)
    browser.submit("/studio/edit/users/1", **value(role="viewer", is_active="false", password_hash="x", name="Dana"))
    user = User.get()
    assert (user.role, user.is_active, user.name) == ("owner", True, "Dana")
    assert user.password_hash != "x"


@ONE_ENGINE
def test_a_table_that_needs_a_secret_takes_no_new_row(browser: Browser) -> None:
    for table in ("users", "api_tokens", "invitations"):
        assert f"/studio/new/{table}" not in browser.read(f"/studio/rows/{table}")
        response = browser.get(f"/studio/new/{table}")
        assert response.status_code == 403
        assert "which only the page that it belongs to can make" in response.text
