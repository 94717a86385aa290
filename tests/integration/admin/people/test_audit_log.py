"""The page of what was changed, by whom."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

import pytest
from flask import Flask

from service import audit
from service.admin.people.audit_log import PAGE_SIZE, described
from service.models import AuditEvent, User
from tests.support.panel import EMAIL, ONE_ENGINE, Browser, add_user, signed_in


@pytest.fixture
def owner(app: Flask) -> Browser:
    """Somebody whose own sign-in is no longer in the log."""
    browser = signed_in(app)
    AuditEvent.delete().execute()
    return browser


def note(action: str, subject: str, user: User | None = None, **fields: Any) -> None:
    audit.record(user, action, subject, details=fields.pop("details", None), address=fields.pop("address", None))
    newest = AuditEvent.select().order_by(AuditEvent.id.desc()).get()
    if fields:
        AuditEvent.update(fields).where(AuditEvent.id == newest.id).execute()


def subjects(page: str) -> list[str]:
    return re.findall(r'data-label="What" class="wrap">([^<]+)', page)


def test_an_event_tells_who_did_what_to_what_from_where(owner: Browser) -> None:
    note("person.role", "eve", User.get(), details={"role": "owner", "was": "editor"}, address="203.0.113.7")
    note("person.teams", "vera", User.get(), details={"teams": ["<Harbour>", "Office"]})
    note("person.add", "ann")
    page = owner.read("/audit-log/")
    assert subjects(page) == ["ann", "vera", "eve"], "the latest first"
    for words in ("person.role", "role: owner", "was: editor", "203.0.113.7", EMAIL, "the command line", "just now"):
        assert words in page
    assert "teams: &lt;Harbour&gt;, Office" in page


@ONE_ENGINE
def test_a_list_that_nobody_has_narrowed_complains_of_nothing(owner: Browser) -> None:
    page = owner.read("/audit-log/")
    assert "is-invalid" not in page
    assert '<details class="panel">' in page, "the filters are folded away"


@pytest.mark.parametrize(
    ("details", "words"),
    [
        ({}, []),
        ({"role": "owner", "filtered_by": "", "scopes": [], "filters": {}, "why": None}, ["role: owner"]),
        ({"scopes": ["read", "chat"], "is_active": False}, ["scopes: read, chat", "is active: False"]),
        ({"filters": {"chatbot": 3, "since": "2026-01-01"}}, ["filters: chatbot 3, since 2026-01-01"]),
    ],
)
def test_details_are_put_into_words(details: dict[str, Any], words: list[str]) -> None:
    assert described(details) == words


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("", ["d", "c", "b", "a"]),
        ("action=person.role", ["a"]),
        ("action=person", ["b", "a"]),
        ("action=pers", []),
        ("action=person%25", []),
        (f"who={EMAIL}", ["d", "a"]),
        ("who=the command line", ["c", "b"]),
        ("since=2026-03-02", ["d", "c", "b"]),
        ("until=2026-03-02", ["b", "a"]),
        (f"who={EMAIL}&since=2026-03-02", ["d"]),
        ("since=nonsense", ["d", "c", "b", "a"]),
        ("who=nobody@example.org", ["d", "c", "b", "a"]),
    ],
)
def test_the_list_is_narrowed_by_person_action_and_day(owner: Browser, asked: str, found: list[str]) -> None:
    user = User.get()
    note("person.role", "a", user, created_at=datetime(2026, 3, 1, 23, 59))
    note("person.add", "b", created_at=datetime(2026, 3, 2, 23, 59))
    note("personality.test", "c", created_at=datetime(2026, 3, 3))
    note("chatbot.publish", "d", user, created_at=datetime(2026, 3, 4))
    assert subjects(owner.read(f"/audit-log/?{asked}")) == found


def test_paging_shows_every_event_once(owner: Browser) -> None:
    for number in range(PAGE_SIZE + 3):
        note("person.role", f"number {number}")
    first = owner.read("/audit-log/?action=person")
    older = re.search(r'rel="next" href="([^"]+)"', first)
    assert older
    assert "action=person" in older[1], "the filter stays"
    seen = subjects(first) + subjects(owner.read(older[1].replace("&amp;", "&")))
    assert seen == [f"number {number}" for number in reversed(range(PAGE_SIZE + 3))]


@ONE_ENGINE
def test_an_empty_result_says_so(owner: Browser) -> None:
    assert "Nothing like that" in owner.read("/audit-log/?action=nothing")
    assert "Nothing older" in owner.read("/audit-log/?before=20000101T000000.000000-1")


@ONE_ENGINE
def test_the_record_outlives_the_account(owner: Browser) -> None:
    eve = add_user("eve@example.org")
    note("chatbot.publish", "Harbour desk", eve)
    eve.delete_instance()
    assert "eve@example.org" in owner.read("/audit-log/")
